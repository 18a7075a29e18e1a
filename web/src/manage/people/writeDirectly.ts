import { roomPath } from "../../app/paths";
import { navigate } from "../../ui/location";
import { showToast } from "../../ui/toasts";
import type { Calls } from "../../wire/calls";
import { toChatError } from "../../wire/errors";
import { errorText } from "../kit/Form";

/** Opens the direct conversation with somebody, and makes it first if there is none. */
export async function writeDirectly(calls: Calls, userId: string): Promise<void> {
  try {
    const { room } = await calls.rooms.getDirectRoom({ userId });
    if (room) navigate(roomPath(room.roomId));
  } catch (thrown) {
    showToast(errorText(toChatError(thrown)), { tone: "danger" });
  }
}
