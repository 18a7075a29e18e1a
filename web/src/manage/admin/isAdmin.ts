import type { Calls } from "../../wire/calls";
import { Code, toChatError } from "../../wire/errors";

/** Whether the caller administers the server: nothing says so but its answer to a call. */
export async function isAdmin(calls: Calls, signal: AbortSignal): Promise<boolean> {
  try {
    await calls.admin.listUsers({ pageSize: 1 }, { signal });
    return true;
  } catch (thrown) {
    if (toChatError(thrown).code === Code.PermissionDenied) return false;
    throw thrown;
  }
}
