import { useState } from "preact/hooks";
import { useForm } from "../app/useForm";
import { Button } from "../ui/Button";
import { Field } from "../ui/Field";
import { createCalls } from "../wire/calls";
import { words } from "../words";
import type { SignInProps } from "./SignIn";

const text = words.signIn;

/** On a server with trusted ids, a name says who it is. */
export function TrustedForm({ invite, onSignedIn }: SignInProps) {
  const [userId, setUserId] = useState("");
  const form = useForm(async () => {
    const { user } = await createCalls({ kind: "trusted", userId }).auth.getMe({});
    onSignedIn({ kind: "trusted", userId: user?.userId ?? userId }, { invite });
  });
  return (
    <form class="sign-in__form" onSubmit={form.submit}>
      <p class="sign-in__about">{text.trusted}</p>
      <Field
        label={text.userId}
        value={userId}
        onValue={setUserId}
        error={form.error?.message}
        required
        autofocus
        autocomplete="username"
        autocapitalize="none"
        spellcheck={false}
      />
      <Button type="submit" variant="primary" busy={form.busy}>
        {text.enter}
      </Button>
    </form>
  );
}
