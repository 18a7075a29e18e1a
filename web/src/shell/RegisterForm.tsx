import { useState } from "preact/hooks";
import { inviteCode } from "../app/invite";
import { limits, tooLong } from "../app/limits";
import { useForm } from "../app/useForm";
import { Button } from "../ui/Button";
import { Field } from "../ui/Field";
import type { Calls } from "../wire/calls";
import { words } from "../words";
import { deviceName } from "./device";
import type { SignInProps } from "./SignIn";

const text = words.signIn;

interface RegisterFormProps extends SignInProps {
  readonly calls: Calls;
  /** Whether the server takes nobody without an invite. */
  readonly needsInvite: boolean;
}

/** A new account. */
export function RegisterForm({ calls, invite, needsInvite, onSignedIn }: RegisterFormProps) {
  const [userId, setUserId] = useState("");
  const [displayName, setDisplayName] = useState("");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState(invite);
  const form = useForm(async () => {
    const { user, roomId } = await calls.auth.register({
      userId,
      displayName,
      password,
      inviteCode: inviteCode(code),
      deviceName: deviceName(),
    });
    onSignedIn({ kind: "cookie", userId: user?.userId ?? userId }, { room: roomId });
  });
  const aboutInvite = form.about("invite_code", "INVITE_NOT_VALID", "REGISTRATION_CLOSED");
  const aboutName = form.about("user_id", "USER_EXISTS");
  const aboutDisplayName = form.about("display_name");
  const aboutPassword = form.about("password");
  return (
    <form class="sign-in__form" onSubmit={form.submit}>
      {(needsInvite || aboutInvite) && (
        <Field
          label={text.invite}
          hint={invite ? undefined : text.inviteHint}
          value={code}
          onValue={setCode}
          error={aboutInvite}
          required={needsInvite}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
        />
      )}
      <Field
        label={text.userId}
        hint={text.userIdHint}
        value={userId}
        onValue={setUserId}
        error={tooLong(userId, limits.value.idBytes) ?? aboutName}
        required
        autofocus={code !== "" || !needsInvite}
        autocomplete="username"
        autocapitalize="none"
        spellcheck={false}
      />
      <Field
        label={text.displayName}
        hint={text.displayNameHint}
        value={displayName}
        onValue={setDisplayName}
        error={tooLong(displayName, limits.value.nameBytes) ?? aboutDisplayName}
        autocomplete="name"
      />
      <Field
        label={text.newPassword}
        hint={text.newPasswordHint}
        type="password"
        value={password}
        onValue={setPassword}
        error={aboutPassword ?? form.aboutAll()}
        required
        autocomplete="new-password"
      />
      <Button type="submit" variant="primary" busy={form.busy}>
        {text.register}
      </Button>
    </form>
  );
}
