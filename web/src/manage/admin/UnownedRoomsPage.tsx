import { useState } from "preact/hooks";
import { useSession } from "../../app/context";
import { Button } from "../../ui/Button";
import { showToast } from "../../ui/toasts";
import { RoomKind, type UnownedRoom } from "../../wire/chat_pb";
import { manageWords } from "../../words/manage";
import { FormDialog } from "../kit/FormDialog";
import { Page, Row } from "../kit/Page";
import { PagedList } from "../kit/PagedList";
import { RoomIcon } from "../kit/RoomIcon";
import { usePaged } from "../kit/usePaged";

const text = manageWords.admin.rooms;

/** The rooms whose owners are all blocked. */
export function UnownedRoomsPage() {
  const { calls } = useSession();
  const [chosen, setChosen] = useState<UnownedRoom>();
  const rooms = usePaged<UnownedRoom>(
    async (pageToken, signal) => {
      const answer = await calls.admin.listUnownedRooms({ pageToken }, { signal });
      return { items: answer.rooms, next: answer.nextPageToken };
    },
    (room) => room.roomId,
    [],
  );
  const assign = (room: UnownedRoom) => async (values: { userId: string; reason: string }) => {
    const request = { roomId: room.roomId, userId: values.userId.trim(), reason: values.reason.trim() };
    await calls.admin.assignRoomOwner(request);
    rooms.drop(room);
    showToast(text.assigned(request.userId, room.name || room.roomId));
  };
  const { kinds, members } = manageWords.rooms;
  return (
    <Page title={manageWords.admin.pages.rooms} lead={text.lead}>
      <PagedList paged={rooms} keyOf={(room) => room.roomId} label={text.list} empty={text.empty}>
        {(room) => (
          <Row
            lead={<RoomIcon room={{ kind: room.kind }} />}
            title={room.name || room.roomId}
            detail={[
              room.kind === RoomKind.PUBLIC ? kinds.public : kinds.private,
              members(room.memberCount),
              room.name && room.roomId,
            ]}
            actions={
              <Button size="small" onClick={() => setChosen(room)}>
                {text.assign}
              </Button>
            }
          />
        )}
      </PagedList>
      {chosen && (
        <FormDialog
          title={text.assignTitle(chosen.name || chosen.roomId)}
          lead={text.assignLead}
          submit={text.assignIt}
          initial={{ userId: "", reason: "" }}
          places={{ USER_NOT_FOUND: "userId" }}
          fields={{ userId: { label: text.owner, plain: true }, reason: { label: text.reason } }}
          onSubmit={assign(chosen)}
          onClose={() => setChosen(undefined)}
        />
      )}
    </Page>
  );
}
