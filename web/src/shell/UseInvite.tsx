import { useEffect } from "preact/hooks";
import { useCalls } from "../app/context";
import { roomPath } from "../app/paths";
import { navigate } from "../ui/location";
import { showError } from "../ui/toasts";

/** Goes into the room that an invite is for. */
export function UseInvite({ code, onUsed }: { readonly code: string; readonly onUsed: () => void }) {
  const calls = useCalls();
  useEffect(() => {
    calls.rooms.joinRoom({ inviteCode: code }).then(
      ({ room }) => {
        if (room) navigate(roomPath(room.roomId), { replace: true });
      },
      (error) => showError(error),
    );
    onUsed();
  }, []);
  return null;
}
