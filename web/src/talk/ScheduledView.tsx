import { useState } from "preact/hooks";
import { useChat } from "../app/chat";
import { useCalls } from "../app/context";
import { roomPath } from "../app/paths";
import { millis, toTimestamp } from "../sync/read";
import { harmlessLine } from "../text/characters";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { Field, TextArea } from "../ui/Field";
import { showError } from "../ui/toasts";
import type { ScheduledMessage } from "../wire/chat_pb";
import { toChatError } from "../wire/errors";
import { words } from "../words";
import "./FoundCard.css";
import { ListPage, Paged } from "./ListPage";
import { MessageText } from "./MessageText";
import { roomName } from "./names";
import { localTime } from "./ScheduleDialog";
import { usePages } from "./usePages";

const text = words.talk.lists;

/** What is to be sent later, and what could not be. */
export function ScheduledView() {
  const calls = useCalls();
  const chat = useChat();
  const [changing, setChanging] = useState<ScheduledMessage>();
  const [done, setDone] = useState(0);
  const scheduled = usePages(
    async (pageToken) => {
      const page = await calls.personal.listScheduledMessages({ pageSize: 30, pageToken });
      return { items: page.scheduled, nextPageToken: page.nextPageToken };
    },
    [chat.personal.value, done],
  );
  const cancel = async (id: string) => {
    try {
      await calls.personal.cancelScheduledMessage({ scheduledMessageId: id });
      scheduled.change((items) => items.filter((item) => item.scheduledMessageId !== id));
    } catch (error) {
      showError(error);
    }
  };
  return (
    <ListPage title={text.scheduled}>
      <Paged pages={scheduled} empty={text.noScheduled}>
        {(item) => (
          <li key={item.scheduledMessageId} class="found-card">
            <div class="found-card__body">
              <p class="found-card__about">
                <a class="found-card__room truncate" href={roomPath(item.message?.roomId ?? "")} dir="auto">
                  <RoomName roomId={item.message?.roomId ?? ""} />
                </a>
                <span>{item.sendTime && text.sendTime(millis(item.sendTime))}</span>
                {item.failure && <span class="found-card__mark">{text.notSent(item.failure.message)}</span>}
              </p>
              <div class="found-card__text">
                <MessageText text={item.message?.text ?? ""} />
              </div>
              {item.files.length > 0 && (
                <p class="found-card__files">
                  {item.files.map((file) => harmlessLine(file.name)).join(", ")}
                </p>
              )}
            </div>
            <div class="found-card__actions">
              <Button size="small" variant="quiet" onClick={() => setChanging(item)}>
                {text.reschedule}
              </Button>
              <Button size="small" variant="quiet" onClick={() => void cancel(item.scheduledMessageId)}>
                {text.cancelScheduled}
              </Button>
            </div>
          </li>
        )}
      </Paged>
      {changing && (
        <ChangeDialog
          item={changing}
          onClose={() => setChanging(undefined)}
          onDone={() => {
            setChanging(undefined);
            setDone(done + 1);
          }}
        />
      )}
    </ListPage>
  );
}

function RoomName({ roomId }: { readonly roomId: string }) {
  const room = useChat().room(roomId).value;
  return <>{room ? roomName(room) : roomId}</>;
}

interface ChangeDialogProps {
  readonly item: ScheduledMessage;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

function ChangeDialog({ item, onClose, onDone }: ChangeDialogProps) {
  const calls = useCalls();
  const [said, setSaid] = useState(item.message?.text ?? "");
  const [when, setWhen] = useState(localTime(item.sendTime ? millis(item.sendTime) : Date.now()));
  const [wrong, setWrong] = useState<string>();
  const save = async () => {
    const time = new Date(when).getTime();
    if (!(time > Date.now())) return setWrong(words.talk.composer.inFuture);
    try {
      await calls.personal.updateScheduledMessage({
        scheduledMessageId: item.scheduledMessageId,
        text: said,
        sendTime: toTimestamp(time),
        updateMask: { paths: ["text", "send_time"] },
      });
      onDone();
    } catch (error) {
      setWrong(toChatError(error).message);
    }
    return undefined;
  };
  return (
    <Dialog
      title={text.editScheduled}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{words.common.cancel}</Button>
          <Button variant="primary" onClick={() => void save()}>
            {words.common.save}
          </Button>
        </>
      }
    >
      <TextArea label={text.text} value={said} onValue={setSaid} rows={4} />
      <Field
        label={words.talk.composer.scheduleTime}
        type="datetime-local"
        value={when}
        onValue={setWhen}
        error={wrong}
      />
    </Dialog>
  );
}
