import { useEffect, useState } from "preact/hooks";
import { useChat } from "../app/chat";
import { useCalls } from "../app/context";
import type { MessageEntry } from "../sync/api";
import { millis } from "../sync/read";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { Field } from "../ui/Field";
import { Spinner } from "../ui/Spinner";
import { showError, showToast } from "../ui/toasts";
import type { Delivery, MessageVersion, Receipt } from "../wire/chat_pb";
import { formatMoment, words } from "../words";
import "./MessageDialogs.css";
import { MessageText } from "./MessageText";
import { useName } from "./names";

const text = words.talk.message;

interface MessageDialogProps {
  readonly entry: MessageEntry;
  readonly onClose: () => void;
}

/** Asks before a message is deleted. Whoever deletes what somebody else said may say why. */
export function RemoveDialog({ entry, onClose }: MessageDialogProps) {
  const chat = useChat();
  const [reason, setReason] = useState("");
  const [busy, run] = useBusy(async () => {
    await chat.remove(entry.roomId, [entry.seq], reason);
    onClose();
  });
  const own = entry.userId === chat.me.value?.userId;
  return (
    <Dialog
      title={text.removeTitle}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{words.common.cancel}</Button>
          <Button variant="danger" busy={busy} onClick={run}>
            {text.remove}
          </Button>
        </>
      }
    >
      <p>{text.removeAbout}</p>
      {entry.text && (
        <div class="message-dialogs__message">
          <MessageText text={entry.text} />
        </div>
      )}
      {!own && <Field label={text.reason} value={reason} onValue={setReason} />}
    </Dialog>
  );
}

export function ReportDialog({ entry, onClose }: MessageDialogProps) {
  const calls = useCalls();
  const [reason, setReason] = useState("");
  const [busy, run] = useBusy(async () => {
    await calls.moderation.reportMessage({ roomId: entry.roomId, seq: BigInt(entry.seq), reason });
    showToast(text.reported);
    onClose();
  });
  return (
    <Dialog
      title={text.reportTitle}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{words.common.cancel}</Button>
          <Button variant="primary" busy={busy} onClick={run}>
            {text.report}
          </Button>
        </>
      }
    >
      <Field label={text.reason} hint={text.reportAbout} value={reason} onValue={setReason} />
    </Dialog>
  );
}

export function EditsDialog({ entry, onClose }: MessageDialogProps) {
  const calls = useCalls();
  const [versions, setVersions] = useState<readonly MessageVersion[]>();
  useEffect(() => {
    calls.messages.listMessageEdits({ roomId: entry.roomId, seq: BigInt(entry.seq) }).then(
      (page) => setVersions(page.versions),
      (error) => {
        showError(error);
        onClose();
      },
    );
  }, []);
  return (
    <Dialog title={text.editsTitle} onClose={onClose} size="large">
      {!versions && <Spinner label={words.common.loading} />}
      {versions?.length === 0 && <p>{text.noEdits}</p>}
      <ol class="message-dialogs__list">
        {versions?.map((version) => (
          <li key={String(version.version)} class="message-dialogs__version">
            {version.time && <p class="message-dialogs__about">{formatMoment(millis(version.time))}</p>}
            <MessageText text={version.text} />
          </li>
        ))}
      </ol>
    </Dialog>
  );
}

/** How far a message has come. */
export function DeliveryDialog({ entry, onClose }: MessageDialogProps) {
  const calls = useCalls();
  const [delivery, setDelivery] = useState<Delivery>();
  const [receipts, setReceipts] = useState<readonly Receipt[]>([]);
  useEffect(() => {
    const about = { roomId: entry.roomId, seq: BigInt(entry.seq) };
    Promise.all([calls.messages.getDelivery(about), calls.messages.listReceipts(about)]).then(
      ([found, page]) => {
        setDelivery(found.delivery);
        setReceipts(page.receipts);
      },
      (error) => {
        showError(error);
        onClose();
      },
    );
  }, []);
  return (
    <Dialog title={text.delivery} onClose={onClose}>
      {!delivery && <Spinner label={words.common.loading} />}
      {delivery && (
        <>
          <p>{delivery.storeTime && text.deliveryStored(millis(delivery.storeTime))}</p>
          <p>{text.deliveryReceived(delivery.received, delivery.members)}</p>
          <p>{delivery.showsRead ? text.deliveryRead(delivery.read, delivery.members) : text.noReceipts}</p>
          <ul class="message-dialogs__list">
            {receipts
              .filter((receipt) => receipt.received || receipt.read)
              .map((receipt) => (
                <ReceiptLine key={receipt.userId} receipt={receipt} />
              ))}
          </ul>
        </>
      )}
    </Dialog>
  );
}

function ReceiptLine({ receipt }: { readonly receipt: Receipt }) {
  const name = useName(receipt.userId);
  return (
    <li class="message-dialogs__receipt">
      <span dir="auto">{name}</span>
      <span class="message-dialogs__about">
        {receipt.read ? text.read : text.received}
        {receipt.receiveTime && ` · ${formatMoment(millis(receipt.receiveTime))}`}
      </span>
    </li>
  );
}

function useBusy(act: () => Promise<void>): [boolean, () => void] {
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    try {
      await act();
    } catch (error) {
      showError(error);
    } finally {
      setBusy(false);
    }
  };
  return [busy, () => void run()];
}
