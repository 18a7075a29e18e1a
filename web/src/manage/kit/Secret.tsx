import { useRef, useState } from "preact/hooks";
import { Button } from "../../ui/Button";
import { CopyIcon } from "../../ui/icons";
import { manageWords } from "../../words/manage";
import "./Secret.css";

interface SecretProps {
  readonly label: string;
  readonly value: string;
}

/** Something to copy: a token, a link. One click selects all of it where copying is not allowed. */
export function Secret({ label, value }: SecretProps) {
  const input = useRef<HTMLInputElement>(null);
  const [copied, setCopied] = useState<boolean>();
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value);
      setCopied(true);
    } catch {
      // Without HTTPS there is no clipboard.
      input.current?.select();
      setCopied(false);
    }
  };
  return (
    <div class="secret">
      <input
        ref={input}
        class="field__input secret__value"
        aria-label={label}
        readOnly
        dir="ltr"
        spellcheck={false}
        value={value}
        onFocus={(event) => event.currentTarget.select()}
      />
      <Button onClick={() => void copy()}>
        <CopyIcon />
        {manageWords.kit.copy}
      </Button>
      <p class="secret__done" role="status">
        {copied === undefined ? "" : copied ? manageWords.kit.copied : manageWords.kit.selected}
      </p>
    </div>
  );
}
