import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Button } from "../../ui/Button";
import { Form } from "./Form";
import "./FormView.css";
import { Notice } from "./Notice";

/** A form for as long as the page is open. */
export function useForm<V extends object>(initial: V, places?: Readonly<Record<string, keyof V>>): Form<V> {
  return useMemo(() => new Form(initial, places), []);
}

interface FormViewProps<V extends object> {
  readonly form: Form<V>;
  readonly onSubmit: (values: V) => Promise<void>;
  /** The button's text. */
  readonly submit: string;
  readonly tone?: "primary" | "danger";
  /** Whether the button waits until something is changed. */
  readonly onlyChanged?: boolean;
  /** Where the form is in a dialog whose own buttons submit it, by this id. */
  readonly id?: string;
  /** Beside the button. */
  readonly more?: ComponentChildren;
  readonly children: ComponentChildren;
}

/** The fields of a form and its button. After an error the focus is on the field that it is about. */
export function FormView<V extends object>(props: FormViewProps<V>) {
  const { form, onSubmit, submit, tone = "primary", onlyChanged = false, id, more, children } = props;
  const element = useRef<HTMLFormElement>(null);
  const errors = form.errors.value;
  const failure = form.failure.value;
  useEffect(() => {
    if (Object.keys(errors).length > 0)
      element.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [errors]);
  return (
    <form
      ref={element}
      class="form-view"
      noValidate
      {...(id && { id })}
      onSubmit={(event) => {
        event.preventDefault();
        void form.submit(onSubmit);
      }}
    >
      {children}
      {failure && <Notice tone="danger">{failure}</Notice>}
      {!id && (
        <div class="form-view__actions">
          <Button type="submit" variant={tone} busy={form.busy.value} disabled={onlyChanged && !form.changed}>
            {submit}
          </Button>
          {more}
        </div>
      )}
    </form>
  );
}

interface RadioGroupProps<T extends string | number> {
  readonly label: string;
  readonly name: string;
  readonly choices: readonly { readonly value: T; readonly label: string; readonly hint?: string }[];
  readonly value: T;
  readonly onValue: (value: T) => void;
  readonly disabled?: boolean;
  readonly error?: string | undefined;
}

/** One of a few choices, each with what it means. */
export function RadioGroup<T extends string | number>(props: RadioGroupProps<T>) {
  const { label, name, choices, value, onValue, disabled = false, error } = props;
  return (
    <fieldset class="radio-group" disabled={disabled}>
      <legend class="radio-group__legend">{label}</legend>
      {choices.map((choice) => (
        <label key={choice.value} class="radio-group__choice">
          <input
            type="radio"
            class="radio-group__dot"
            name={name}
            checked={choice.value === value}
            onChange={() => onValue(choice.value)}
          />
          <span>
            <span class="radio-group__label">{choice.label}</span>
            {choice.hint && <span class="radio-group__hint">{choice.hint}</span>}
          </span>
        </label>
      ))}
      {error && (
        <p class="field__error" role="alert">
          {error}
        </p>
      )}
    </fieldset>
  );
}
