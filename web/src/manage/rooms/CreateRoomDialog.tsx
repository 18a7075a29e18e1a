import { useMemo } from "preact/hooks";
import { useSession } from "../../app/context";
import { roomPath } from "../../app/paths";
import { Select } from "../../ui/Field";
import { navigate } from "../../ui/location";
import { History, Posting, RoomKind } from "../../wire/chat_pb";
import { manageWords } from "../../words/manage";
import { FormDialog } from "../kit/FormDialog";
import { RadioGroup } from "../kit/FormView";

const text = manageWords.rooms.create;
const { history, posting } = manageWords.rooms;

export const HISTORIES = [
  { value: String(History.ALL), label: history.all },
  { value: String(History.SINCE_JOIN), label: history.since },
];

export const POSTINGS = [
  { value: String(Posting.MEMBERS), label: posting.members },
  { value: String(Posting.ADMINS), label: posting.admins },
];

const INITIAL = {
  name: "",
  topic: "",
  kind: RoomKind.PRIVATE,
  history: History.ALL,
  posting: Posting.MEMBERS,
};

/** Makes a room, and opens it. */
export function CreateRoomDialog({ onClose }: { readonly onClose: () => void }) {
  const { calls } = useSession();
  // A call whose answer was lost may have made the room: with the same id it is that room again.
  const ids = useMemo(() => new Map<string, string>(), []);

  const create = async ({ name, topic, ...rules }: typeof INITIAL) => {
    const request = { ...rules, name: name.trim(), topic: topic.trim() };
    const key = JSON.stringify(request);
    const requestId = ids.get(key) ?? crypto.randomUUID();
    ids.set(key, requestId);
    const { room } = await calls.rooms.createRoom({ ...request, requestId });
    if (room) navigate(roomPath(room.roomId));
  };

  return (
    <FormDialog
      title={text.title}
      submit={text.create}
      initial={INITIAL}
      places={{ ROOM_EXISTS: "name" }}
      fields={{ name: { label: text.name }, topic: { label: text.topic } }}
      onSubmit={create}
      onClose={onClose}
    >
      {(form) => {
        const values = form.values.value;
        const errors = form.errors.value;
        return (
          <>
            <RadioGroup
              label={text.kind}
              name="kind"
              choices={[
                { value: RoomKind.PRIVATE, label: text.kinds.private, hint: text.kindHints.private },
                { value: RoomKind.PUBLIC, label: text.kinds.public, hint: text.kindHints.public },
              ]}
              value={values.kind}
              onValue={(value) => form.set("kind", value)}
              error={errors.kind}
            />
            <Select
              label={text.history}
              error={errors.history}
              choices={HISTORIES}
              value={String(values.history)}
              onValue={(value) => form.set("history", Number(value))}
            />
            <Select
              label={text.posting}
              error={errors.posting}
              choices={POSTINGS}
              value={String(values.posting)}
              onValue={(value) => form.set("posting", Number(value))}
            />
          </>
        );
      }}
    </FormDialog>
  );
}
