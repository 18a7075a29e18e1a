import { useSession } from "../../app/context";
import { settingsPath } from "../../app/paths";
import { Avatar } from "../../ui/Avatar";
import { Button } from "../../ui/Button";
import { BackIcon } from "../../ui/icons";
import { showToast } from "../../ui/toasts";
import type { Calls } from "../../wire/calls";
import { type Presence, PresenceState, type User, UserKind } from "../../wire/chat_pb";
import { formatRelative } from "../../words";
import { manageWords } from "../../words/manage";
import { confirm } from "../kit/confirm";
import { useForm } from "../kit/FormView";
import { LoadedView } from "../kit/LoadedView";
import { Notice } from "../kit/Notice";
import { Page } from "../kit/Page";
import { toTime } from "../kit/times";
import { useLoaded } from "../kit/useLoaded";
import { blockedText } from "../settings/BlocksPage";
import "./PersonCard.css";
import { writeDirectly } from "./writeDirectly";

const text = manageWords.people.card;

interface Found {
  readonly user: User;
  readonly presence: Presence | undefined;
  readonly blocked: boolean;
}

/** What there is to know of somebody, and what one can do about them. */
export function PersonCard({ userId }: { readonly userId: string }) {
  const { calls, identity } = useSession();
  const accounts = identity.kind === "cookie";
  const found = useLoaded<Found | null>(
    async (signal) => {
      const [{ user }, { presences }, blocked] = await Promise.all([
        calls.auth.getUser({ userId }, { signal }),
        calls.presence.getPresence({ userIds: [userId] }, { signal }),
        accounts ? isBlocked(calls, userId, signal) : false,
      ]);
      return user ? { user, presence: presences[0], blocked } : null;
    },
    [userId],
  );
  return (
    <>
      <a class="pages__back pages__back--list" href="/people">
        <BackIcon />
        {text.back}
      </a>
      <LoadedView loaded={found}>
        {(value) => value && <Card found={value} accounts={accounts} onChanged={found.set} />}
      </LoadedView>
    </>
  );
}

interface CardProps {
  readonly found: Found;
  readonly accounts: boolean;
  readonly onChanged: (found: Found) => void;
}

function Card({ found, accounts, onChanged }: CardProps) {
  const { calls, userId: me } = useSession();
  const { user, presence, blocked } = found;
  const form = useForm({});
  const name = user.displayName || user.userId;
  const self = user.userId === me;

  const block = () =>
    confirm({
      title: text.blockTitle(name),
      effects: <p>{text.blockEffect}</p>,
      option: { label: text.leaveRooms },
      action: text.block,
      danger: true,
      run: async ({ option }) => {
        const answer = await calls.auth.createBlock({ userId: user.userId, leaveRooms: option });
        onChanged({ ...found, blocked: true });
        showToast(blockedText(name, answer));
      },
    });

  const unblock = async () => {
    await calls.auth.deleteBlock({ userId: user.userId });
    onChanged({ ...found, blocked: false });
    showToast(manageWords.settings.blocks.unblocked(name));
  };

  return (
    <Page
      title={name}
      lead={self ? text.yourself : undefined}
      actions={
        self ? (
          accounts && (
            <a class="button button--plain" href={settingsPath("profile")}>
              {text.edit}
            </a>
          )
        ) : (
          <>
            <Button variant="primary" onClick={() => void writeDirectly(calls, user.userId)}>
              {text.write}
            </Button>
            {accounts &&
              (blocked ? (
                <Button busy={form.busy.value} onClick={() => void form.submit(unblock)}>
                  {text.unblock}
                </Button>
              ) : (
                <Button onClick={block}>{text.block} …</Button>
              ))}
          </>
        )
      }
    >
      {blocked && (
        <Notice tone="warning">{user.kind === UserKind.BOT ? text.blockedBot : text.blocked}</Notice>
      )}
      {form.failure.value && <Notice tone="danger">{form.failure.value}</Notice>}
      <div class="person-card">
        <Avatar size="large" userId={user.userId} name={user.displayName} presence={presenceOf(presence)} />
        <Facts user={user} presence={presence} />
      </div>
      {!self && <p class="page__lead">{text.reportHint}</p>}
    </Page>
  );
}

function Facts({ user, presence }: { readonly user: User; readonly presence: Presence | undefined }) {
  const status = presence?.status;
  const until = toTime(status?.expireTime);
  const seen = toTime(presence?.lastSeenTime);
  const facts: [string, string][] = [[text.facts.userId, user.userId]];
  if (user.kind === UserKind.BOT) facts.push([text.facts.kind, text.kinds.bot]);
  if (user.kind === UserKind.PERSON) facts.push([text.facts.kind, text.kinds.person]);
  if (user.ownerUserId) facts.push([text.facts.owner, user.ownerUserId]);
  const state = presenceOf(presence);
  if (state) facts.push([text.facts.presence, { active: text.presence.online, ...text.presence }[state]]);
  if (status && (status.text || status.emoji)) {
    const ends = until === undefined ? "" : ` (${text.until(formatRelative(until))})`;
    facts.push([text.facts.status, `${status.emoji} ${status.text}`.trim() + ends]);
  }
  if (state !== "active" && seen !== undefined) facts.push([text.facts.lastSeen, formatRelative(seen)]);
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

function presenceOf(presence: Presence | undefined): "active" | "away" | "offline" | undefined {
  if (presence?.state === PresenceState.ONLINE) return "active";
  if (presence?.state === PresenceState.AWAY) return "away";
  return presence && "offline";
}

/** Blocks are in the order of user ids: all pages up to this one have to be looked at. */
async function isBlocked(calls: Calls, userId: string, signal: AbortSignal): Promise<boolean> {
  let pageToken = "";
  do {
    const answer = await calls.auth.listBlocks({ pageToken, pageSize: 500 }, { signal });
    if (answer.blocks.some((block) => block.user?.userId === userId)) return true;
    pageToken = answer.nextPageToken;
  } while (pageToken);
  return false;
}
