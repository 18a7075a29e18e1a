import { useSession } from "../../app/context";
import { homePath } from "../../app/paths";
import { Button } from "../../ui/Button";
import { navigate } from "../../ui/location";
import { showToast } from "../../ui/toasts";
import { Role, RoomKind } from "../../wire/chat_pb";
import { ChatError, toChatError } from "../../wire/errors";
import { manageWords } from "../../words/manage";
import { confirm } from "../kit/confirm";
import { useForm } from "../kit/FormView";
import { Notice } from "../kit/Notice";
import { Row } from "../kit/Page";
import { roomName } from "../kit/roomName";
import type { RoomPageProps } from "./RoomSettingsView";

const text = manageWords.rooms.settings;

/** Leaving, archiving and deleting a room. */
export function RoomEnd({ room, onChanged }: RoomPageProps) {
  const { calls } = useSession();
  const form = useForm({});
  const { roomId } = room;
  const name = roomName(room);
  const owner = room.role === Role.OWNER;
  const alone = room.memberCount === 1;

  const leave = () =>
    confirm({
      title: text.leaveTitle(name),
      effects: (
        <p>
          {owner && alone
            ? text.leaveLast
            : room.kind === RoomKind.PUBLIC
              ? text.leaveEffect
              : `${text.leaveEffect} ${text.leavePrivate}`}
        </p>
      ),
      ...(owner && alone && { typed: { label: text.deleteType(name), word: room.name } }),
      action: text.leaveIt,
      danger: true,
      run: async () => {
        try {
          await calls.rooms.leaveRoom({ roomId });
        } catch (thrown) {
          const error = toChatError(thrown);
          if (error.reason !== "LAST_OWNER") throw error;
          throw new ChatError(error.code, text.handOver, { reason: error.reason });
        }
        showToast(text.left(name));
        navigate(homePath);
      },
    });

  const archive = () =>
    confirm({
      title: text.archiveTitle(name),
      effects: <p>{text.archiveEffect(room.memberCount)}</p>,
      action: text.archiveIt,
      run: async () => {
        const answer = await calls.rooms.archiveRoom({ roomId });
        if (answer.room) onChanged(answer.room);
        showToast(text.archived);
      },
    });

  const unarchive = async () => {
    const answer = await calls.rooms.unarchiveRoom({ roomId });
    if (answer.room) onChanged(answer.room);
    showToast(text.unarchived);
  };

  const remove = () =>
    confirm({
      title: text.deleteTitle(name),
      effects: <p>{text.deleteEffect(room.memberCount)}</p>,
      typed: { label: text.deleteType(name), word: room.name },
      action: text.deleteIt,
      danger: true,
      run: async () => {
        await calls.rooms.deleteRoom({ roomId, confirmName: room.name });
        showToast(text.deleted(name));
        navigate(homePath);
      },
    });

  return (
    <div class="paged-list__rows">
      <div class="paged-list__row">
        <Row title={text.leave} actions={<Button onClick={leave}>{text.leaveIt} …</Button>} />
      </div>
      {owner && (
        <div class="paged-list__row">
          <Row
            title={text.archive}
            detail={[text.archiveLead]}
            actions={
              room.archiveTime ? (
                <Button busy={form.busy.value} onClick={() => void form.submit(unarchive)}>
                  {text.unarchive}
                </Button>
              ) : (
                <Button onClick={archive}>{text.archiveIt} …</Button>
              )
            }
          />
          {form.failure.value && <Notice tone="danger">{form.failure.value}</Notice>}
        </div>
      )}
      {owner && (
        <div class="paged-list__row">
          <Row
            title={text.delete}
            detail={[text.deleteLead]}
            actions={
              <Button variant="danger" onClick={remove}>
                {text.deleteIt} …
              </Button>
            }
          />
        </div>
      )}
    </div>
  );
}
