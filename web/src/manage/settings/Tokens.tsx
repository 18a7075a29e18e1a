import { useEffect, useState } from "preact/hooks";
import { useSession } from "../../app/context";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Checkbox, Field, Select } from "../../ui/Field";
import { PlusIcon } from "../../ui/icons";
import { showToast } from "../../ui/toasts";
import { Scope, type Session } from "../../wire/chat_pb";
import { formatList, words } from "../../words";
import { manageWords } from "../../words/manage";
import { confirm } from "../kit/confirm";
import { FormView, useForm } from "../kit/FormView";
import { Notice } from "../kit/Notice";
import { Row } from "../kit/Page";
import type { Paged } from "../kit/Paged";
import { PagedList } from "../kit/PagedList";
import { Secret } from "../kit/Secret";
import { DAY, fromLength } from "../kit/times";
import { usePaged } from "../kit/usePaged";
import { isLogin, nameOf, sessionFacts } from "./SessionsPage";

const text = manageWords.settings.tokens;

type Lifetime = keyof typeof text.lifetimes;

const LIFETIMES: Record<Lifetime, number | undefined> = {
  month: 30 * DAY,
  quarter: 90 * DAY,
  year: 365 * DAY,
  ever: undefined,
};

const SCOPES = [
  { scope: Scope.READ, key: "read" },
  { scope: Scope.WRITE, key: "write" },
  { scope: Scope.ADMIN, key: "admin" },
] as const;

/** The access tokens of the user, or of one of their bots, and the button that makes one. */
export function Tokens({ botId = "" }: { readonly botId?: string }) {
  const { calls } = useSession();
  const [open, setOpen] = useState(false);
  const tokens = usePaged<Session>(
    async (pageToken, signal) => {
      const answer = await calls.auth.listSessions({ userId: botId, pageToken }, { signal });
      return { items: answer.sessions.filter((session) => !isLogin(session)), next: answer.nextPageToken };
    },
    (session) => session.sessionId,
    [botId],
  );
  useEffect(() => {
    if (tokens.items.value.length === 0 && tokens.next.value) void tokens.more();
  }, [tokens.next.value]);

  const revoke = (token: Session) =>
    confirm({
      title: text.revokeTitle(nameOf(token)),
      effects: <p>{text.revokeEffect}</p>,
      action: text.revoke,
      danger: true,
      run: async () => {
        await calls.auth.revokeSessions({ userId: botId, sessionIds: [token.sessionId] });
        tokens.drop(token);
        showToast(text.revoked(nameOf(token)));
      },
    });

  return (
    <>
      <div class="page__actions">
        <Button variant="primary" onClick={() => setOpen(true)}>
          <PlusIcon />
          {text.create}
        </Button>
      </div>
      <PagedList
        paged={tokens}
        keyOf={(token) => token.sessionId}
        label={text.list}
        empty={botId ? text.emptyFor : text.empty}
      >
        {(token) => (
          <Row
            title={nameOf(token)}
            detail={[scopeNames(token), ...sessionFacts(token)]}
            actions={
              <Button size="small" aria-label={text.revokeTitle(nameOf(token))} onClick={() => revoke(token)}>
                {text.revoke}
              </Button>
            }
          />
        )}
      </PagedList>
      {open && <NewToken botId={botId} tokens={tokens} onClose={() => setOpen(false)} />}
    </>
  );
}

interface NewTokenProps {
  readonly botId: string;
  readonly tokens: Paged<Session>;
  readonly onClose: () => void;
}

function NewToken({ botId, tokens, onClose }: NewTokenProps) {
  const { calls } = useSession();
  const [token, setToken] = useState<string>();
  const form = useForm({
    name: "",
    scopes: [Scope.READ] as readonly Scope[],
    lifetime: "quarter" as Lifetime,
  });
  const values = form.values.value;
  const errors = form.errors.value;
  const title = botId ? text.createFor(botId) : text.createTitle;

  const make = async ({ name, scopes, lifetime }: typeof values) => {
    if (scopes.length === 0) return form.refuse("scopes", text.noScope);
    const length = LIFETIMES[lifetime];
    const answer = await calls.auth.createAccessToken({
      userId: botId,
      name: name.trim(),
      scopes: [...scopes],
      ...(length !== undefined && { lifetime: fromLength(length) }),
    });
    if (answer.session) tokens.put(answer.session);
    setToken(answer.token);
  };

  if (token !== undefined)
    return (
      <Dialog
        title={title}
        onClose={onClose}
        actions={
          <Button variant="primary" onClick={onClose}>
            {text.done}
          </Button>
        }
      >
        <div class="form-view">
          <Notice tone="warning">{text.once}</Notice>
          <Secret label={text.made} value={token} />
        </div>
      </Dialog>
    );
  return (
    <Dialog
      title={title}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{words.common.cancel}</Button>
          <Button type="submit" form="new-token" variant="primary" busy={form.busy.value}>
            {text.create}
          </Button>
        </>
      }
    >
      <FormView id="new-token" form={form} onSubmit={make} submit={text.create}>
        <Field
          label={text.name}
          placeholder={text.namePlaceholder}
          error={errors.name}
          value={values.name}
          onValue={(value) => form.set("name", value)}
        />
        <fieldset class="form-view__group">
          <legend class="form-view__legend">{text.scopes}</legend>
          {SCOPES.filter(({ scope }) => !botId || scope !== Scope.ADMIN).map(({ scope, key }) => (
            <Checkbox
              key={key}
              label={text.scope[key]}
              hint={text.scopeHint[key]}
              checked={values.scopes.includes(scope)}
              onChecked={(on) =>
                form.set(
                  "scopes",
                  on ? [...values.scopes, scope] : values.scopes.filter((other) => other !== scope),
                )
              }
            />
          ))}
          {errors.scopes && (
            <p class="field__error" role="alert">
              {errors.scopes}
            </p>
          )}
        </fieldset>
        <Select
          label={text.lifetime}
          error={errors.lifetime}
          choices={Object.entries(text.lifetimes).map(([value, label]) => ({ value, label }))}
          value={values.lifetime}
          onValue={(value) => form.set("lifetime", value as Lifetime)}
        />
      </FormView>
    </Dialog>
  );
}

function scopeNames(token: Session): string {
  return formatList(
    SCOPES.filter(({ scope }) => token.scopes.includes(scope)).map(({ key }) => text.scope[key]),
  );
}
