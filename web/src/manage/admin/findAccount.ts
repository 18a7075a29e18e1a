import type { Calls } from "../../wire/calls";
import type { UserRecord } from "../../wire/chat_pb";

/** The account with exactly this user id, which ListUsers finds among those that have it in their name. */
export async function findAccount(
  calls: Calls,
  userId: string,
  signal: AbortSignal,
): Promise<UserRecord | null> {
  let pageToken = "";
  do {
    const answer = await calls.admin.listUsers({ query: userId, pageToken, pageSize: 500 }, { signal });
    const found = answer.users.find((record) => record.user?.userId === userId);
    if (found) return found;
    pageToken = answer.nextPageToken;
  } while (pageToken);
  return null;
}
