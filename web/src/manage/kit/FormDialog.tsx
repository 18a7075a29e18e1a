import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { words } from "../../words";
import type { Form } from "./Form";
import { FormView, useForm } from "./FormView";

interface TextField {
  readonly label: string;
  readonly hint?: string;
  /** Whether it is a name for programs: no capital letters, corrections and suggestions of the browser. */
  readonly plain?: boolean;
  readonly type?: "text" | "password";
}

interface FormDialogProps<V extends object> {
  readonly title: string;
  readonly lead?: ComponentChildren;
  readonly submit: string;
  readonly tone?: "primary" | "danger";
  readonly initial: V;
  readonly places?: Readonly<Record<string, keyof V>>;
  /** The lines of text, in their order. */
  readonly fields?: Partial<Record<keyof V, TextField>>;
  /** Further fields, below them. */
  readonly children?: (form: Form<V>) => ComponentChildren;
  /** The dialog closes when it is done. */
  readonly onSubmit: (values: V) => Promise<void>;
  readonly onClose: () => void;
}

/** A form in a dialog. */
export function FormDialog<V extends object>(props: FormDialogProps<V>) {
  const {
    title,
    lead,
    submit,
    tone = "primary",
    initial,
    places,
    fields,
    children,
    onSubmit,
    onClose,
  } = props;
  const form = useForm(initial, places);
  const id = useId();
  return (
    <Dialog
      title={title}
      onClose={() => form.busy.value || onClose()}
      actions={
        <>
          <Button onClick={onClose}>{words.common.cancel}</Button>
          <Button type="submit" form={id} variant={tone} busy={form.busy.value}>
            {submit}
          </Button>
        </>
      }
    >
      <FormView
        id={id}
        form={form}
        submit={submit}
        onSubmit={async (values) => {
          await onSubmit(values);
          if (Object.keys(form.errors.value).length === 0) onClose();
        }}
      >
        {lead && <p>{lead}</p>}
        {Object.entries(fields ?? {}).map(([name, about]) => (
          <TextOf key={name} form={form} name={name as keyof V} about={about as TextField} />
        ))}
        {children?.(form)}
      </FormView>
    </Dialog>
  );
}

function TextOf<V extends object>({
  form,
  name,
  about,
}: {
  readonly form: Form<V>;
  readonly name: keyof V;
  readonly about: TextField;
}) {
  const { label, hint, plain = false, type = "text" } = about;
  return (
    <Field
      label={label}
      hint={hint}
      type={type}
      error={form.errors.value[name]}
      value={String(form.values.value[name])}
      autoComplete={type === "password" ? "new-password" : "off"}
      {...(plain && { autoCapitalize: "none", spellcheck: false })}
      onValue={(value) => form.set(name, value as V[keyof V])}
    />
  );
}
