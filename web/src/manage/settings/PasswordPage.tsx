import { useState } from "preact/hooks";
import { useSession } from "../../app/context";
import { Checkbox, Field } from "../../ui/Field";
import { manageWords } from "../../words/manage";
import { FormView, useForm } from "../kit/FormView";
import { Notice } from "../kit/Notice";
import { Page } from "../kit/Page";

const text = manageWords.settings.password;

const EMPTY = { currentPassword: "", newPassword: "", again: "", endBotTokens: false };

/** A new password. */
export function PasswordPage() {
  const { calls, userId } = useSession();
  const form = useForm(EMPTY, { LOGIN_FAILED: "currentPassword" });
  const [shown, setShown] = useState(false);
  const [done, setDone] = useState<string>();
  const values = form.values.value;
  const errors = form.errors.value;
  const type = shown ? "text" : "password";

  const change = async ({ currentPassword, newPassword, again, endBotTokens }: typeof EMPTY) => {
    setDone(undefined);
    if (newPassword !== again) return form.refuse("again", text.differs);
    const answer = await calls.auth.changePassword({ currentPassword, newPassword, endBotTokens });
    form.reset(EMPTY);
    const live = answer.liveBotTokens > 0 ? ` ${text.liveTokens(answer.liveBotTokens)}` : "";
    setDone(text.changed(answer.revokedSessions) + live);
  };

  return (
    <Page title={manageWords.settings.pages.password} lead={text.lead}>
      {done && <Notice tone="good">{done}</Notice>}
      <FormView form={form} onSubmit={change} submit={text.change}>
        {/* Password managers take it for the name that the password belongs to. */}
        <input
          class="visually-hidden"
          type="text"
          autoComplete="username"
          value={userId}
          readOnly
          tabIndex={-1}
          aria-hidden="true"
        />
        <Field
          label={text.current}
          type={type}
          error={errors.currentPassword}
          autoComplete="current-password"
          value={values.currentPassword}
          onValue={(value) => form.set("currentPassword", value)}
        />
        <Field
          label={text.next}
          type={type}
          hint={text.nextHint}
          error={errors.newPassword}
          autoComplete="new-password"
          value={values.newPassword}
          onValue={(value) => form.set("newPassword", value)}
        />
        <Field
          label={text.again}
          type={type}
          error={errors.again}
          autoComplete="new-password"
          value={values.again}
          onValue={(value) => form.set("again", value)}
        />
        <Checkbox label={text.show} checked={shown} onChecked={setShown} />
        <Checkbox
          label={text.bots}
          hint={text.botsHint}
          checked={values.endBotTokens}
          onChecked={(on) => form.set("endBotTokens", on)}
        />
      </FormView>
    </Page>
  );
}
