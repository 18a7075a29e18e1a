import { useSession } from "../../app/context";
import { Avatar } from "../../ui/Avatar";
import { Button } from "../../ui/Button";
import { Checkbox, Field } from "../../ui/Field";
import { showToast } from "../../ui/toasts";
import type { Block } from "../../wire/chat_pb";
import { formatMoment } from "../../words";
import { manageWords } from "../../words/manage";
import { FormView, useForm } from "../kit/FormView";
import { Page, Row, Section } from "../kit/Page";
import { PagedList } from "../kit/PagedList";
import { toTime } from "../kit/times";
import { usePaged } from "../kit/usePaged";

const text = manageWords.settings.blocks;

const EMPTY = { userId: "", leaveRooms: false };

/** Those whom the user has blocked. */
export function BlocksPage() {
  const { calls } = useSession();
  const blocks = usePaged<Block>(
    async (pageToken, signal) => {
      const answer = await calls.auth.listBlocks({ pageToken }, { signal });
      return { items: answer.blocks, next: answer.nextPageToken };
    },
    idOf,
    [],
  );
  const form = useForm(EMPTY, { USER_NOT_FOUND: "userId" });

  const block = async ({ userId, leaveRooms }: typeof EMPTY) => {
    const answer = await calls.auth.createBlock({ userId: userId.trim(), leaveRooms });
    if (answer.block) blocks.put(answer.block);
    form.reset(EMPTY);
    showToast(blockedText(userId.trim(), answer));
  };

  return (
    <Page title={manageWords.settings.pages.blocks} lead={text.lead}>
      <PagedList paged={blocks} keyOf={idOf} label={text.list} empty={text.empty}>
        {(each) => <BlockRow block={each} onEnded={() => blocks.drop(each)} />}
      </PagedList>
      <Section title={text.add}>
        <FormView form={form} onSubmit={block} submit={text.block} onlyChanged>
          <Field
            label={manageWords.kit.userId}
            error={form.errors.value.userId}
            value={form.values.value.userId}
            autoComplete="off"
            autoCapitalize="none"
            spellcheck={false}
            onValue={(value) => form.set("userId", value)}
          />
          <Checkbox
            label={text.leave}
            checked={form.values.value.leaveRooms}
            onChecked={(on) => form.set("leaveRooms", on)}
          />
        </FormView>
      </Section>
    </Page>
  );
}

function BlockRow({ block, onEnded }: { readonly block: Block; readonly onEnded: () => void }) {
  const { calls } = useSession();
  const form = useForm({});
  const { user } = block;
  if (!user) return null;
  const since = toTime(block.createTime);
  const end = async () => {
    await calls.auth.deleteBlock({ userId: user.userId });
    onEnded();
    showToast(text.unblocked(user.userId));
  };
  return (
    <Row
      lead={<Avatar userId={user.userId} name={user.displayName} />}
      title={user.displayName || user.userId}
      detail={[user.userId, since !== undefined && text.since(formatMoment(since)), form.failure.value]}
      actions={
        <Button
          size="small"
          busy={form.busy.value}
          aria-label={`${text.unblock}: ${user.displayName || user.userId}`}
          onClick={() => void form.submit(end)}
        >
          {text.unblock}
        </Button>
      }
    />
  );
}

/** What a block has done, in a sentence. */
export function blockedText(
  userId: string,
  answer: { readonly leftRooms: number; readonly keptRoomIds: readonly string[] },
): string {
  const parts = [text.blocked(userId)];
  if (answer.leftRooms > 0) parts.push(text.left(answer.leftRooms));
  if (answer.keptRoomIds.length > 0) parts.push(text.kept(answer.keptRoomIds.length));
  return parts.join(" ");
}

function idOf(block: Block): string {
  return block.user?.userId ?? "";
}
