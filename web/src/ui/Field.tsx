import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import "./Field.css";

interface FieldProps {
  readonly label: string;
  /** What to know before writing. */
  readonly hint?: ComponentChildren;
  /** What is wrong with what was written. */
  readonly error?: string | undefined;
  /** Whether the label is only for screen readers. */
  readonly hideLabel?: boolean;
}

interface Described {
  readonly id: string;
  readonly "aria-describedby"?: string;
  readonly "aria-invalid"?: true;
}

/** A label, a control, a hint and an error. `control` must pass what it is given on to the element. */
export function Labelled({
  label,
  hint,
  error,
  hideLabel = false,
  control,
}: FieldProps & { readonly control: (described: Described) => ComponentChildren }) {
  const id = useId();
  const about = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div class="field">
      <label class={hideLabel ? "visually-hidden" : "field__label"} for={id}>
        {label}
      </label>
      {control({
        id,
        ...(about && { "aria-describedby": about }),
        ...(error && { "aria-invalid": true as const }),
      })}
      {hint && (
        <p class="field__hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {error && (
        <p class="field__error" id={`${id}-error`}>
          {error}
        </p>
      )}
    </div>
  );
}

type InputProps = Omit<JSX.InputHTMLAttributes<HTMLInputElement>, "id" | "label" | "onInput"> &
  FieldProps & {
    readonly value: string;
    readonly onValue: (value: string) => void;
  };

/** A line of text with its label. */
export function Field({ label, hint, error, hideLabel, onValue, autofocus, ...rest }: InputProps) {
  const input = useRef<HTMLInputElement>(null);
  // The attribute counts only once for a page.
  useEffect(() => {
    if (autofocus) input.current?.focus();
  }, []);
  return (
    <Labelled
      {...{ label, hint, ...(error && { error }), ...(hideLabel && { hideLabel }) }}
      control={(described) => (
        <input
          dir="auto"
          {...rest}
          {...described}
          ref={input}
          class="field__input"
          onInput={(event) => onValue(event.currentTarget.value)}
        />
      )}
    />
  );
}

type AreaProps = Omit<JSX.TextareaHTMLAttributes<HTMLTextAreaElement>, "id" | "label" | "onInput"> &
  FieldProps & { readonly value: string; readonly onValue: (value: string) => void };

/** Some lines of text with their label. */
export function TextArea({ label, hint, error, hideLabel, onValue, ...rest }: AreaProps) {
  return (
    <Labelled
      {...{ label, hint, ...(error && { error }), ...(hideLabel && { hideLabel }) }}
      control={(described) => (
        <textarea
          dir="auto"
          rows={3}
          {...rest}
          {...described}
          class="field__input"
          onInput={(event) => onValue(event.currentTarget.value)}
        />
      )}
    />
  );
}

interface Choice {
  readonly value: string;
  readonly label: string;
}

/** One of a few choices. */
export function Select({
  choices,
  value,
  onValue,
  disabled = false,
  ...about
}: FieldProps & {
  readonly choices: readonly Choice[];
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly disabled?: boolean;
}) {
  return (
    <Labelled
      {...about}
      control={(described) => (
        <select
          {...described}
          class="field__input"
          value={value}
          disabled={disabled}
          onChange={(event) => onValue(event.currentTarget.value)}
        >
          {choices.map((choice) => (
            <option key={choice.value} value={choice.value} selected={choice.value === value}>
              {choice.label}
            </option>
          ))}
        </select>
      )}
    />
  );
}

/** Yes or no. */
export function Checkbox({
  label,
  hint,
  checked,
  onChecked,
  disabled = false,
}: {
  readonly label: string;
  readonly hint?: ComponentChildren;
  readonly checked: boolean;
  readonly onChecked: (checked: boolean) => void;
  readonly disabled?: boolean;
}) {
  const id = useId();
  return (
    <div class="checkbox">
      <input
        type="checkbox"
        id={id}
        class="checkbox__box"
        checked={checked}
        disabled={disabled}
        aria-describedby={hint ? `${id}-hint` : undefined}
        onChange={(event) => onChecked(event.currentTarget.checked)}
      />
      <label class="checkbox__label" for={id}>
        {label}
      </label>
      {hint && (
        <p class="field__hint checkbox__hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}
