import { useState } from "preact/hooks";
import { useSession } from "../../app/context";
import { adminPath } from "../../app/paths";
import { Button } from "../../ui/Button";
import { Checkbox } from "../../ui/Field";
import { BackIcon } from "../../ui/icons";
import { showToast } from "../../ui/toasts";
import { UserKind, type UserRecord } from "../../wire/chat_pb";
import { formatList, formatMoment } from "../../words";
import { manageWords } from "../../words/manage";
import { confirm } from "../kit/confirm";
import { FormDialog } from "../kit/FormDialog";
import { useForm } from "../kit/FormView";
import { LoadedView } from "../kit/LoadedView";
import { Notice } from "../kit/Notice";
import { Page, Section } from "../kit/Page";
import { toTime } from "../kit/times";
import { useLoaded } from "../kit/useLoaded";
import { AssignBotDialog } from "./AssignBotDialog";
import { findAccount } from "./findAccount";
import { UserIdentities } from "./UserIdentities";
import { UserSessions } from "./UserSessions";

const text = manageWords.admin.user;

/** An account, and what administrators do with it. */
export function UserPage({ userId }: { readonly userId: string }) {
  const { calls } = useSession();
  const found = useLoaded((signal) => findAccount(calls, userId, signal), [userId]);
  return (
    <>
      <a class="pages__back pages__back--list" href={adminPath("users")}>
        <BackIcon />
        {text.back}
      </a>
      <LoadedView loaded={found}>
        {(record) =>
          record ? (
            <Account record={record} onChanged={found.set} onReload={found.reload} />
          ) : (
            <Notice>{manageWords.admin.users.nothing(userId)}</Notice>
          )
        }
      </LoadedView>
    </>
  );
}

interface AccountProps {
  readonly record: UserRecord;
  readonly onChanged: (record: UserRecord) => void;
  readonly onReload: () => void;
}

function Account({ record, onChanged, onReload }: AccountProps) {
  const userId = record.user?.userId ?? "";
  const name = record.user?.displayName || userId;
  // What changes with the account's sessions is loaded again.
  const [round, setRound] = useState(0);
  const ended = () => {
    setRound(round + 1);
    onReload();
  };
  return (
    <Page title={name} lead={name === userId ? undefined : userId}>
      <Section
        title={text.about}
        actions={<AccountActions record={record} onChanged={onChanged} onEnded={ended} />}
      >
        <AccountFacts record={record} />
      </Section>
      <UserSessions key={round} userId={userId} name={name} onEnded={onReload} />
      {record.user?.kind !== UserKind.BOT && <UserIdentities userId={userId} onEnded={ended} />}
    </Page>
  );
}

function AccountFacts({ record }: { readonly record: UserRecord }) {
  const { user } = record;
  const created = toTime(record.createTime);
  const used = toTime(record.lastUsedTime);
  const blocked = toTime(record.blockTime);
  const bot = user?.kind === UserKind.BOT;
  const kind = bot ? text.kinds.bot : record.admin ? text.kinds.admin : text.kinds.person;
  const state =
    blocked === undefined
      ? text.active
      : record.ownerBlocked && !record.blockedItself
        ? text.blockedWithOwner
        : text.blockedSince(formatMoment(blocked));
  const facts: [string, string][] = [
    [text.facts.userId, user?.userId ?? ""],
    [text.facts.kind, kind],
    [text.facts.state, state],
    [text.facts.created, created === undefined ? "" : formatMoment(created)],
    [text.facts.used, used === undefined ? text.never : formatMoment(used)],
  ];
  if (user?.ownerUserId) facts.splice(2, 0, [text.facts.owner, user.ownerUserId]);
  if (record.endedTokens > 0) facts.push([text.facts.tokens, String(record.endedTokens)]);
  return (
    <dl class="facts">
      {facts.map(([term, value]) => (
        <div key={term} class="facts__fact">
          <dt>{term}</dt>
          <dd dir="auto">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

interface ActionsProps {
  readonly record: UserRecord;
  readonly onChanged: (record: UserRecord) => void;
  /** Sessions of the account have ended. */
  readonly onEnded: () => void;
}

function AccountActions({ record, onChanged, onEnded }: ActionsProps) {
  const { calls, userId: me } = useSession();
  const [open, setOpen] = useState<"reset" | "assign">();
  const [asking, setAsking] = useState(false);
  const form = useForm({});
  const userId = record.user?.userId ?? "";
  const name = record.user?.displayName || userId;
  const bot = record.user?.kind === UserKind.BOT;

  const block = async () => {
    setAsking(true);
    try {
      await form.submit(async () => {
        const effects = await calls.admin.blockUser({ userId, validateOnly: true });
        const bots = some(
          effects.stoppedBots.map((each) => each.userId),
          effects.stoppedBotCount,
        );
        const rooms = some(
          effects.unownedRooms.map((each) => each.name || each.roomId),
          effects.unownedRoomCount,
        );
        confirm({
          title: text.blockTitle(name),
          effects: (
            <>
              <p>{text.blockEffect(name, record.sessions)}</p>
              {bots && <p>{text.stoppedBots(bots)}</p>}
              {rooms && <p>{text.unowned(rooms)}</p>}
            </>
          ),
          action: text.blockIt,
          danger: true,
          run: async () => {
            const answer = await calls.admin.blockUser({ userId });
            if (answer.user) onChanged(answer.user);
            showToast(text.blocked(name));
            onEnded();
          },
        });
      });
    } finally {
      setAsking(false);
    }
  };

  const unblock = async () => {
    const answer = await calls.admin.unblockUser({ userId });
    if (answer.user) onChanged(answer.user);
    const stopped = some(
      answer.stoppedBots.map((each) => each.userId),
      answer.stoppedBotCount,
    );
    const blocked = some(answer.blockedBotUserIds, answer.blockedBotCount);
    const parts = [
      text.unblocked(name),
      stopped && text.needTokens(stopped),
      blocked && text.stayBlocked(blocked),
    ];
    showToast(parts.filter(Boolean).join(" "));
  };

  const setAdmin = (admin: boolean) =>
    confirm({
      title: admin ? text.makeAdminTitle(name) : text.revokeAdminTitle(name),
      effects: <p>{admin ? text.makeAdminEffect : text.revokeAdminEffect}</p>,
      action: admin ? text.makeAdmin : text.revokeAdmin,
      danger: !admin,
      run: async () => {
        const answer = await calls.admin.setAdmin({ userId, admin });
        if (answer.user) onChanged(answer.user);
        showToast(admin ? text.madeAdmin(name) : text.revokedAdmin(name));
      },
    });

  const reset = async ({ newPassword, endBotTokens }: { newPassword: string; endBotTokens: boolean }) => {
    const answer = await calls.admin.resetPassword({ userId, newPassword, endBotTokens });
    const live = answer.liveBotTokens > 0 ? ` ${text.liveBotTokens(answer.liveBotTokens)}` : "";
    showToast(text.resetDone(name, answer.revokedSessions) + live);
    onEnded();
  };

  return (
    <>
      {!bot && <Button onClick={() => setOpen("reset")}>{text.reset} …</Button>}
      {!bot && (
        <Button onClick={() => setAdmin(!record.admin)}>
          {record.admin ? text.revokeAdmin : text.makeAdmin} …
        </Button>
      )}
      {bot && record.ownerBlocked && <Button onClick={() => setOpen("assign")}>{text.assign} …</Button>}
      {record.blockTime && !(record.ownerBlocked && !record.blockedItself) && (
        <Button busy={form.busy.value} onClick={() => void form.submit(unblock)}>
          {text.unblock}
        </Button>
      )}
      {!record.blockTime && userId !== me && (
        <Button busy={asking} onClick={() => void block()}>
          {text.block} …
        </Button>
      )}
      {form.failure.value && <Notice tone="danger">{form.failure.value}</Notice>}
      {open === "reset" && (
        <FormDialog
          title={text.resetTitle(name)}
          lead={text.resetLead}
          submit={text.resetIt}
          initial={{ newPassword: "", endBotTokens: false }}
          fields={{
            newPassword: {
              label: manageWords.admin.users.password,
              hint: manageWords.admin.users.passwordHint,
              type: "password",
            },
          }}
          onSubmit={reset}
          onClose={() => setOpen(undefined)}
        >
          {(fields) => (
            <Checkbox
              label={text.resetBots}
              hint={text.resetBotsHint}
              checked={fields.values.value.endBotTokens}
              onChecked={(on) => fields.set("endBotTokens", on)}
            />
          )}
        </FormDialog>
      )}
      {open === "assign" && (
        <AssignBotDialog botId={userId} onAssigned={onEnded} onClose={() => setOpen(undefined)} />
      )}
    </>
  );
}

/** The first of them, and how many more there are. */
function some(names: readonly string[], count: number): string {
  const first = names.slice(0, 8);
  return formatList(count > first.length ? [...first, text.more(count - first.length)] : first);
}
