import { useState } from "preact/hooks";
import { useCalls } from "../app/context";
import { toTimestamp } from "../sync/read";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { Field } from "../ui/Field";
import { showToast } from "../ui/toasts";
import { toChatError } from "../wire/errors";
import { words } from "../words";

const text = words.talk.composer;

interface ScheduleDialogProps {
  readonly message: {
    readonly roomId: string;
    readonly threadRoot?: number;
    readonly replyTo?: number;
    readonly text: string;
    readonly fileIds: readonly string[];
  };
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** Asks when to send a message, and leaves it with the server. */
export function ScheduleDialog({ message, onClose, onDone }: ScheduleDialogProps) {
  const calls = useCalls();
  const [when, setWhen] = useState(() => localTime(nextMorning()));
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<string>();
  // The same for each attempt, so that it is scheduled once.
  const [clientMessageId] = useState(() => crypto.randomUUID());

  const schedule = async () => {
    const time = new Date(when).getTime();
    if (!(time > Date.now())) return setWrong(text.inFuture);
    setBusy(true);
    try {
      await calls.personal.scheduleMessage({
        message: {
          roomId: message.roomId,
          clientMessageId,
          text: message.text,
          fileIds: [...message.fileIds],
          threadRoot: BigInt(message.threadRoot ?? 0),
          replyTo: BigInt(message.replyTo ?? 0),
        },
        sendTime: toTimestamp(time),
      });
      showToast(text.scheduled(time));
      onDone();
      onClose();
    } catch (error) {
      setWrong(toChatError(error).message);
      setBusy(false);
    }
    return undefined;
  };

  return (
    <Dialog
      title={text.scheduleTitle}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{words.common.cancel}</Button>
          <Button variant="primary" busy={busy} onClick={() => void schedule()}>
            {text.scheduleSend}
          </Button>
        </>
      }
    >
      <Field
        label={text.scheduleTime}
        type="datetime-local"
        value={when}
        onValue={setWhen}
        error={wrong}
        required
      />
    </Dialog>
  );
}

/** A time as fields of the browser have it. */
export function localTime(time: number): string {
  const date = new Date(time - new Date(time).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 16);
}

function nextMorning(): number {
  const day = new Date();
  day.setDate(day.getDate() + 1);
  return day.setHours(9, 0, 0, 0);
}
