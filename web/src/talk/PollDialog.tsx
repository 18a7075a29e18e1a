import { useState } from "preact/hooks";
import { useChat } from "../app/chat";
import { useSession } from "../app/context";
import { limits, tooLong } from "../app/limits";
import type { SendTo } from "../sync/api";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { Checkbox, Field, TextArea } from "../ui/Field";
import { IconButton } from "../ui/IconButton";
import { CloseIcon } from "../ui/icons";
import { showError } from "../ui/toasts";
import { words } from "../words";
import { useConversation } from "./Conversation";
import { withNames } from "./emojiNames";
import "./PollDialog.css";

const text = words.talk.poll;

interface PollDialogProps {
  readonly to: SendTo;
  readonly onClose: () => void;
}

/** Asks for a question and its options, and sends them. */
export function PollDialog({ to, onClose }: PollDialogProps) {
  const chat = useChat();
  const { userId } = useSession();
  const { toEnd } = useConversation();
  const [question, setQuestion] = useState("");
  const [options, setOptions] = useState<readonly string[]>(["", ""]);
  const [multiple, setMultiple] = useState(false);
  const [anonymous, setAnonymous] = useState(false);
  const [closes, setCloses] = useState("");
  const [wrong, setWrong] = useState<string>();

  const send = async (event: Event) => {
    event.preventDefault();
    const written = [question, ...options].map((one) => withNames(one.trim(), userId));
    const [asked = "", ...answers] = await Promise.all(written);
    const given = answers.filter(Boolean);
    const long = [
      tooLong(asked, limits.value.textBytes),
      ...given.map((option) => tooLong(option, limits.value.optionBytes)),
    ].find(Boolean);
    if (long) return setWrong(long);
    if (given.length < 2) return setWrong(text.twoOptions);
    if (new Set(given).size < given.length) return setWrong(text.sameOptions);
    const closeTime = closes ? new Date(closes).getTime() : undefined;
    if (closeTime !== undefined && closeTime <= Date.now()) return setWrong(words.talk.composer.inFuture);
    try {
      await chat.send(to, {
        text: asked,
        poll: { options: given, multiple, anonymous, ...(closeTime !== undefined && { closeTime }) },
      });
      toEnd.value++;
      onClose();
    } catch (error) {
      showError(error);
    }
    return undefined;
  };

  return (
    <Dialog title={text.title} onClose={onClose}>
      <form class="poll-dialog" onSubmit={(event) => void send(event)}>
        <TextArea
          label={text.question}
          value={question}
          error={tooLong(question.trim(), limits.value.textBytes)}
          onValue={setQuestion}
          required
          rows={2}
        />
        {options.map((option, index) => (
          <div key={index} class="poll-dialog__option">
            <Field
              label={text.option(index + 1)}
              value={option}
              error={tooLong(option.trim(), limits.value.optionBytes)}
              required={index < 2}
              onValue={(value) => setOptions(options.map((old, at) => (at === index ? value : old)))}
            />
            {options.length > 2 && (
              <IconButton
                label={text.removeOption(index + 1)}
                icon={<CloseIcon />}
                onClick={() => setOptions(options.filter((_, at) => at !== index))}
              />
            )}
          </div>
        ))}
        {options.length < limits.value.pollOptions && (
          <Button size="small" variant="quiet" onClick={() => setOptions([...options, ""])}>
            {text.addOption}
          </Button>
        )}
        <Checkbox label={text.multiple} checked={multiple} onChecked={setMultiple} />
        <Checkbox label={text.anonymous} checked={anonymous} onChecked={setAnonymous} />
        <Field
          label={text.closeTime}
          hint={text.closeTimeHint}
          type="datetime-local"
          value={closes}
          onValue={setCloses}
        />
        {wrong && (
          <p class="poll-dialog__wrong" role="alert">
            {wrong}
          </p>
        )}
        <div class="poll-dialog__actions">
          <Button onClick={onClose}>{words.common.cancel}</Button>
          <Button variant="primary" type="submit">
            {text.send}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
