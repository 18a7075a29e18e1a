import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { toChatError } from "../../wire/errors";
import { words } from "../../words";
import "./confirm.css";
import { errorText } from "./Form";
import { Notice } from "./Notice";

export interface Confirmation {
  /** What is about to happen, as a question or a name. */
  readonly title: string;
  /** What it will cause, in sentences. */
  readonly effects?: ComponentChildren;
  /** The button that does it: a verb. */
  readonly action: string;
  readonly danger?: boolean;
  /** A word to type before the button does anything, for what can't be undone. */
  readonly typed?: { readonly label: string; readonly word: string };
  /** Asks for a reason that others read. */
  readonly reason?: { readonly label: string; readonly hint?: string };
  /** A choice that belongs to it. */
  readonly option?: { readonly label: string; readonly hint?: string };
  /** Does it. While it fails, the dialog stays open and says why. */
  readonly run: (answer: { reason: string; option: boolean }) => Promise<void>;
}

const asked = signal<Confirmation | undefined>(undefined);

/** Asks before something is done that can't easily be undone, and does it. */
export function confirm(confirmation: Confirmation): void {
  asked.value = confirmation;
}

/** Where the question appears; once in each page. */
export function ConfirmHost() {
  const confirmation = asked.value;
  // A question goes with the page that asked it.
  useEffect(
    () => () => {
      asked.value = undefined;
    },
    [],
  );
  return confirmation ? <ConfirmDialog key={confirmation.title} confirmation={confirmation} /> : null;
}

function ConfirmDialog({ confirmation }: { readonly confirmation: Confirmation }) {
  const { title, effects, action, danger = false, typed, reason, option, run } = confirmation;
  const [word, setWord] = useState("");
  const [why, setWhy] = useState("");
  const [chosen, setChosen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string>();
  const ready = !typed || word === typed.word;

  // Another question may have been asked meanwhile: what this one did can take longer than its dialog is needed.
  const end = () => {
    if (asked.peek() === confirmation) asked.value = undefined;
  };
  const close = () => {
    if (!busy) end();
  };
  const go = async () => {
    if (busy || !ready) return;
    setBusy(true);
    setFailure(undefined);
    try {
      await run({ reason: why.trim(), option: chosen });
      end();
    } catch (thrown) {
      setFailure(errorText(toChatError(thrown)));
      setBusy(false);
    }
  };

  return (
    <Dialog
      title={title}
      onClose={close}
      actions={
        <>
          <Button onClick={close}>{words.common.cancel}</Button>
          <Button
            type="submit"
            form="confirm"
            variant={danger ? "danger" : "primary"}
            busy={busy}
            disabled={!ready}
          >
            {action}
          </Button>
        </>
      }
    >
      <form
        id="confirm"
        class="confirm"
        onSubmit={(event) => {
          event.preventDefault();
          void go();
        }}
      >
        {effects && <div class="confirm__effects">{effects}</div>}
        {reason && <Field label={reason.label} hint={reason.hint} value={why} onValue={setWhy} />}
        {option && (
          <label class="confirm__option">
            <input
              type="checkbox"
              checked={chosen}
              onChange={(event) => setChosen(event.currentTarget.checked)}
            />
            <span>
              {option.label}
              {option.hint && <span class="confirm__hint">{option.hint}</span>}
            </span>
          </label>
        )}
        {typed && (
          <Field label={typed.label} value={word} autoComplete="off" spellcheck={false} onValue={setWord} />
        )}
        {failure && <Notice tone="danger">{failure}</Notice>}
      </form>
    </Dialog>
  );
}
