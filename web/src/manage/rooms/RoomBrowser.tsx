import { useState } from "preact/hooks";
import { useSession } from "../../app/context";
import { roomPath } from "../../app/paths";
import { Button } from "../../ui/Button";
import { Checkbox, Field } from "../../ui/Field";
import { PlusIcon } from "../../ui/icons";
import { navigate } from "../../ui/location";
import { Role, type Room } from "../../wire/chat_pb";
import { manageWords } from "../../words/manage";
import { useForm } from "../kit/FormView";
import { ManageRoot } from "../kit/ManageRoot";
import { Notice } from "../kit/Notice";
import { Alone, Page, Row } from "../kit/Page";
import { PagedList } from "../kit/PagedList";
import { RoomIcon } from "../kit/RoomIcon";
import { roomName } from "../kit/roomName";
import { usePaged } from "../kit/usePaged";
import { useQuery } from "../kit/useQuery";
import { CreateRoomDialog } from "./CreateRoomDialog";
import "./RoomBrowser.css";

const text = manageWords.rooms.browser;

/** `/browse`, and `/new-room` with the dialog open: the server's public rooms, to search and join, and the button that makes a room. */
export function RoomBrowser() {
  return <Browser creating={false} />;
}

export function NewRoom() {
  return <Browser creating />;
}

function Browser({ creating: begun }: { readonly creating: boolean }) {
  const { calls } = useSession();
  const { typed, query, setTyped } = useQuery();
  const [archived, setArchived] = useState(false);
  const [creating, setCreating] = useState(begun);
  const rooms = usePaged<Room>(
    async (pageToken, signal) => {
      const request = { query, includeArchived: archived, pageToken };
      const answer = await calls.rooms.listPublicRooms(request, { signal });
      return { items: answer.rooms, next: answer.nextPageToken };
    },
    idOf,
    [query, archived],
  );
  const ready = rooms.next.value !== undefined && rooms.loading.value === undefined;
  return (
    <ManageRoot>
      <Alone>
        <Page
          title={text.title}
          lead={text.lead}
          actions={
            <Button variant="primary" onClick={() => setCreating(true)}>
              <PlusIcon />
              {text.create}
            </Button>
          }
        >
          <div class="room-browser">
            <search class="room-browser__search">
              <Field label={text.search} type="search" value={typed} autoComplete="off" onValue={setTyped} />
              <Checkbox label={text.archived} checked={archived} onChecked={setArchived} />
            </search>
            <p class="visually-hidden" role="status">
              {ready && query ? text.found(rooms.items.value.length, rooms.next.value !== "") : ""}
            </p>
            <PagedList
              paged={rooms}
              keyOf={idOf}
              label={text.list}
              empty={query ? text.nothing(query) : text.empty}
            >
              {(room) => <PublicRoomRow room={room} />}
            </PagedList>
          </div>
        </Page>
      </Alone>
      {creating && <CreateRoomDialog onClose={() => setCreating(false)} />}
    </ManageRoot>
  );
}

function PublicRoomRow({ room }: { readonly room: Room }) {
  const { calls } = useSession();
  const form = useForm({});
  const inside = room.role !== Role.UNSPECIFIED;
  const name = roomName(room);
  const join = async () => {
    await calls.rooms.joinRoom({ roomId: room.roomId });
    navigate(roomPath(room.roomId));
  };
  return (
    <>
      <Row
        lead={<RoomIcon room={room} />}
        title={inside ? <a href={roomPath(room.roomId)}>{name}</a> : name}
        badges={[inside && text.joined, room.archiveTime && manageWords.rooms.archived]}
        detail={[manageWords.rooms.members(room.memberCount), room.topic]}
        actions={
          inside ? (
            <a
              class="button button--plain button--small"
              href={roomPath(room.roomId)}
              aria-label={`${text.open}: ${name}`}
            >
              {text.open}
            </a>
          ) : (
            !room.archiveTime && (
              <Button
                size="small"
                variant="primary"
                busy={form.busy.value}
                aria-label={`${text.join}: ${name}`}
                onClick={() => void form.submit(join)}
              >
                {text.join}
              </Button>
            )
          )
        }
      />
      {form.failure.value && <Notice tone="danger">{form.failure.value}</Notice>}
    </>
  );
}

function idOf(room: Room): string {
  return room.roomId;
}
