import { useState } from "preact/hooks";
import { useForm } from "../app/useForm";
import { Button } from "../ui/Button";
import { Field } from "../ui/Field";
import type { Calls } from "../wire/calls";
import { words } from "../words";
import { deviceName } from "./device";
import type { SignInProps } from "./SignIn";

const text = words.signIn;

/** Name and password of an account. */
export function PasswordForm({ calls, invite, onSignedIn }: SignInProps & { readonly calls: Calls }) {
  const [userId, setUserId] = useState("");
  const [password, setPassword] = useState("");
  const form = useForm(async () => {
    const { user } = await calls.auth.logIn({ userId, password, deviceName: deviceName() });
    onSignedIn({ kind: "cookie", userId: user?.userId ?? userId }, { invite });
  });
  const aboutName = form.about("user_id");
  const aboutPassword = form.about("password", "LOGIN_FAILED");
  return (
    <form class="sign-in__form" onSubmit={form.submit}>
      <Field
        label={text.userId}
        value={userId}
        onValue={setUserId}
        error={aboutName}
        required
        autofocus
        autocomplete="username"
        autocapitalize="none"
        spellcheck={false}
      />
      <Field
        label={text.password}
        type="password"
        value={password}
        onValue={setPassword}
        error={aboutPassword ?? form.aboutAll()}
        required
        autocomplete="current-password"
      />
      <Button type="submit" variant="primary" busy={form.busy}>
        {text.enter}
      </Button>
    </form>
  );
}
