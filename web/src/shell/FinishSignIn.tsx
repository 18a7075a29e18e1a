import { useEffect, useState } from "preact/hooks";
import { answerOf, errand, forgetErrand } from "../app/issuer";
import { useForm } from "../app/useForm";
import { Button } from "../ui/Button";
import { Field } from "../ui/Field";
import { navigate, query } from "../ui/location";
import { Spinner } from "../ui/Spinner";
import type { Calls } from "../wire/calls";
import { type ChatError, toChatError } from "../wire/errors";
import { words } from "../words";
import { deviceName } from "./device";
import type { SignInProps } from "./SignIn";

const text = words.signIn;

/** Errors that leave the login open for another user id. */
const ANOTHER_NAME = new Set(["USER_ID_NEEDED", "USER_EXISTS"]);

/** The page that an issuer sent the browser back to: what it said begins a session. */
export function FinishSignIn({ calls, onSignedIn }: Omit<SignInProps, "invite"> & { readonly calls: Calls }) {
  const [failed, setFailed] = useState<ChatError>();
  const [userId, setUserId] = useState("");

  const finish = async (answer: Partial<ReturnType<typeof answerOf>>) => {
    const { user, roomId } = await calls.auth.finishLogIn({
      ...answer,
      deviceName: deviceName(),
      inviteCode: errand().invite ?? "",
      userId,
      needsUserId: true,
    });
    onSignedIn({ kind: "cookie", userId: user?.userId ?? "" }, { room: roomId });
    forgetErrand();
  };
  const form = useForm(() => finish({}));

  useEffect(() => {
    const answer = answerOf(query.value);
    // What it says counts once; the address must not keep it.
    history.replaceState(null, "", location.pathname);
    finish(answer).catch((error) => setFailed(toChatError(error)));
  }, []);

  if (!failed) return <Spinner label={words.common.loading} />;
  if (ANOTHER_NAME.has(failed.reason))
    return (
      <form class="sign-in__form" onSubmit={form.submit}>
        <p>{text.chooseName}</p>
        <Field
          label={text.userId}
          hint={text.userIdHint}
          value={userId}
          onValue={setUserId}
          error={form.error?.message ?? (failed.reason === "USER_EXISTS" ? failed.message : undefined)}
          required
          autofocus
          autocomplete="username"
          autocapitalize="none"
          spellcheck={false}
        />
        <Button type="submit" variant="primary" busy={form.busy}>
          {text.register}
        </Button>
      </form>
    );
  return (
    <>
      <p role="alert">{failed.unreachable ? words.common.unreachable : failed.message}</p>
      <Button
        onClick={() => {
          forgetErrand();
          navigate("/", { replace: true });
        }}
      >
        {text.again}
      </Button>
    </>
  );
}
