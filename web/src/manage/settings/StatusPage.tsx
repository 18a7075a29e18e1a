import { useEffect } from "preact/hooks";
import { useSession } from "../../app/context";
import { Button } from "../../ui/Button";
import { Checkbox, Field, Select } from "../../ui/Field";
import { showToast } from "../../ui/toasts";
import type { UpdateStatusResponse } from "../../wire/chat_pb";
import { toChatError } from "../../wire/errors";
import { formatRelative } from "../../words";
import { manageWords } from "../../words/manage";
import { errorText, type Form } from "../kit/Form";
import { FormView, useForm } from "../kit/FormView";
import { LoadedView } from "../kit/LoadedView";
import { Notice } from "../kit/Notice";
import { Page, Section } from "../kit/Page";
import { DAY, fromLength, HOUR, MINUTE, toTime, untilMidnight } from "../kit/times";
import { useLoaded } from "../kit/useLoaded";
import "./StatusPage.css";

const text = manageWords.settings.status;

type Length = keyof typeof text.lengths;

interface StatusValues {
  readonly emoji: string;
  readonly text: string;
  readonly lifetime: Length;
}

/** What others see the user doing. */
export function StatusPage() {
  const { calls, userId } = useSession();
  const mine = useLoaded(async (signal) => {
    const [presence] = (await calls.presence.getPresence({ userIds: [userId] }, { signal })).presences;
    // Only the answer to a change says what others may see: give the emoji that is there already.
    const emoji = presence?.status?.emoji ?? "";
    return calls.presence.updateStatus({ emoji, updateMask: { paths: ["emoji"] } }, { signal });
  }, []);
  const form = useForm<StatusValues>({ emoji: "", text: "", lifetime: "never" });
  const status = mine.value?.presence?.status;
  useEffect(() => {
    if (status && !form.changed) form.reset({ emoji: status.emoji, text: status.text, lifetime: "never" });
  }, [status]);

  const save = async (values: StatusValues) => {
    const length = lengthOf(values.lifetime);
    const answer = await calls.presence.updateStatus({
      text: values.text.trim(),
      emoji: values.emoji.trim(),
      ...(length !== undefined && { lifetime: fromLength(length) }),
      updateMask: { paths: ["text", "emoji", "lifetime"] },
    });
    mine.set(answer);
    form.reset({ ...values, lifetime: "never" });
    showToast(values.text.trim() || values.emoji.trim() ? text.set : text.cleared);
  };

  const clear = () => {
    form.reset({ emoji: "", text: "", lifetime: "never" });
    void form.submit(save);
  };

  const until = toTime(status?.expireTime);
  return (
    <Page title={manageWords.settings.pages.status} lead={text.lead}>
      <LoadedView loaded={mine}>
        {(shown) => (
          <>
            {status && (status.text || status.emoji) && (
              <Notice tone="good">
                {text.current(`${status.emoji} ${status.text}`.trim())}{" "}
                {until !== undefined && text.goes(formatRelative(until))}
              </Notice>
            )}
            <FormView
              form={form}
              onSubmit={save}
              submit={text.save}
              more={
                status && (status.text || status.emoji) ? (
                  <Button onClick={clear}>{text.clear}</Button>
                ) : undefined
              }
            >
              <StatusFields form={form} />
            </FormView>
            <Section title={text.visibility}>
              <Visibility shown={shown} onShown={mine.set} />
            </Section>
          </>
        )}
      </LoadedView>
    </Page>
  );
}

function StatusFields({ form }: { readonly form: Form<StatusValues> }) {
  const values = form.values.value;
  const lengths = Object.entries(text.lengths).map(([value, label]) => ({ value, label }));
  return (
    <>
      <div class="status-page__line">
        <Field
          label={text.emoji}
          error={form.errors.value.emoji}
          value={values.emoji}
          onValue={(value) => form.set("emoji", value)}
        />
        <Field
          label={text.text}
          error={form.errors.value.text}
          placeholder={text.placeholder}
          value={values.text}
          onValue={(value) => form.set("text", value)}
        />
      </div>
      <fieldset class="status-page__suggested" aria-label={text.suggestions}>
        {text.suggested.map((each) => (
          <Button
            key={each.text}
            size="small"
            onClick={() => {
              form.set("emoji", each.emoji);
              form.set("text", each.text);
              form.set("lifetime", each.length);
            }}
          >
            <span aria-hidden="true">{each.emoji}</span> {each.text}
          </Button>
        ))}
      </fieldset>
      <Select
        label={text.until}
        error={form.errors.value.lifetime}
        choices={lengths}
        value={values.lifetime}
        onValue={(value) => form.set("lifetime", value as Length)}
      />
    </>
  );
}

interface VisibilityProps {
  readonly shown: UpdateStatusResponse;
  readonly onShown: (shown: UpdateStatusResponse) => void;
}

/** Each choice is saved when it is made. */
function Visibility({ shown, onShown }: VisibilityProps) {
  const { calls } = useSession();
  const change = async (
    what: Partial<Record<"appearOffline" | "hideLastSeen" | "hideReceipts", boolean>>,
    path: string,
  ) => {
    onShown({ ...shown, ...what });
    try {
      onShown(await calls.presence.updateStatus({ ...what, updateMask: { paths: [path] } }));
    } catch (thrown) {
      onShown(shown);
      showToast(errorText(toChatError(thrown)), { tone: "danger" });
    }
  };
  return (
    <div class="form-view__group">
      <Checkbox
        label={text.offline}
        hint={text.offlineHint}
        checked={shown.appearOffline}
        onChecked={(on) => void change({ appearOffline: on }, "appear_offline")}
      />
      <Checkbox
        label={text.lastSeen}
        checked={shown.hideLastSeen}
        onChecked={(on) => void change({ hideLastSeen: on }, "hide_last_seen")}
      />
      <Checkbox
        label={text.receipts}
        hint={text.receiptsHint}
        checked={shown.hideReceipts}
        onChecked={(on) => void change({ hideReceipts: on }, "hide_receipts")}
      />
    </div>
  );
}

function lengthOf(length: Length): number | undefined {
  const lengths: Record<Length, number | undefined> = {
    never: undefined,
    half: 30 * MINUTE,
    hour: HOUR,
    four: 4 * HOUR,
    today: untilMidnight(),
    week: 7 * DAY,
  };
  return lengths[length];
}
