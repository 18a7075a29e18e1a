import { useState } from "preact/hooks";
import { useSession } from "../../app/context";
import { Avatar } from "../../ui/Avatar";
import { Button } from "../../ui/Button";
import { Field } from "../../ui/Field";
import { BackIcon, PlusIcon } from "../../ui/icons";
import { showToast } from "../../ui/toasts";
import type { User } from "../../wire/chat_pb";
import { words } from "../../words";
import { manageWords } from "../../words/manage";
import { FormDialog } from "../kit/FormDialog";
import { FormView, useForm } from "../kit/FormView";
import { Page, Row, Section } from "../kit/Page";
import { PagedList } from "../kit/PagedList";
import { usePaged } from "../kit/usePaged";
import { Tokens } from "./Tokens";

const text = manageWords.settings.bots;

type Open = { readonly what: "create" } | { readonly what: "rename" | "offer"; readonly bot: User };

/** The user's bots. */
export function BotsPage() {
  const { calls, userId } = useSession();
  const [shown, setShown] = useState<User>();
  const [open, setOpen] = useState<Open>();
  const bots = usePaged<User>(
    async (pageToken, signal) => {
      const answer = await calls.auth.listBots({ pageToken }, { signal });
      return { items: answer.bots, next: answer.nextPageToken };
    },
    (bot) => bot.userId,
    [],
  );
  const close = () => setOpen(undefined);

  const create = async (values: { userId: string; displayName: string }) => {
    const { user } = await calls.auth.createBot({
      userId: values.userId.trim(),
      displayName: values.displayName.trim(),
    });
    if (!user) return;
    bots.put(user);
    setShown(user);
    showToast(text.created(user.userId));
  };

  const rename = (bot: User) => async (values: { displayName: string }) => {
    const { user } = await calls.auth.updateProfile({
      userId: bot.userId,
      displayName: values.displayName.trim(),
      updateMask: { paths: ["display_name"] },
    });
    if (user) bots.put(user);
  };

  const offer = (bot: User) => async (values: { newOwnerUserId: string }) => {
    const answer = await calls.auth.offerBot({
      userId: bot.userId,
      newOwnerUserId: values.newOwnerUserId.trim(),
    });
    if (answer.bot) bots.put(answer.bot);
    showToast(text.offerMade(bot.userId, values.newOwnerUserId.trim()));
  };

  const withdraw = async (bot: User) => {
    const answer = await calls.auth.offerBot({ userId: bot.userId });
    if (answer.bot) bots.put(answer.bot);
    showToast(text.withdrawn);
  };

  if (shown)
    return (
      <Page
        key={shown.userId}
        title={shown.displayName || shown.userId}
        lead={shown.userId}
        actions={
          <Button variant="quiet" onClick={() => setShown(undefined)}>
            <BackIcon />
            {text.back}
          </Button>
        }
      >
        <Section title={manageWords.settings.pages.tokens}>
          <Tokens botId={shown.userId} />
        </Section>
      </Page>
    );
  return (
    <Page
      key=""
      title={manageWords.settings.pages.bots}
      lead={text.lead}
      actions={
        <Button variant="primary" onClick={() => setOpen({ what: "create" })}>
          <PlusIcon />
          {text.create}
        </Button>
      }
    >
      <PagedList paged={bots} keyOf={(bot) => bot.userId} label={text.list} empty={text.empty}>
        {(bot) => (
          <Row
            lead={<Avatar userId={bot.userId} name={bot.displayName} />}
            title={bot.displayName || bot.userId}
            badges={[bot.offeredToUserId && text.offered(bot.offeredToUserId)]}
            detail={[bot.userId]}
            actions={
              <>
                <Button size="small" onClick={() => setShown(bot)}>
                  {text.tokens}
                </Button>
                <Button size="small" onClick={() => setOpen({ what: "rename", bot })}>
                  {text.rename}
                </Button>
                {bot.offeredToUserId ? (
                  <WithdrawButton onWithdraw={() => withdraw(bot)} />
                ) : (
                  <Button size="small" onClick={() => setOpen({ what: "offer", bot })}>
                    {text.offer}
                  </Button>
                )}
              </>
            }
          />
        )}
      </PagedList>
      <AcceptBot onAccepted={(bot) => bots.put(bot)} />
      {open?.what === "create" && (
        <FormDialog
          title={text.createTitle}
          submit={text.makeIt}
          initial={{ userId: "", displayName: "" }}
          places={{ USER_EXISTS: "userId" }}
          fields={{
            userId: { label: text.userId, hint: text.userIdHint(userId), plain: true },
            displayName: { label: text.displayName },
          }}
          onSubmit={create}
          onClose={close}
        />
      )}
      {open?.what === "rename" && (
        <FormDialog
          title={text.renameTitle(open.bot.userId)}
          submit={words.common.save}
          initial={{ displayName: open.bot.displayName }}
          fields={{ displayName: { label: manageWords.settings.profile.displayName } }}
          onSubmit={rename(open.bot)}
          onClose={close}
        />
      )}
      {open?.what === "offer" && (
        <FormDialog
          title={text.offerTitle(open.bot.userId)}
          lead={text.offerLead}
          submit={text.offerIt}
          initial={{ newOwnerUserId: "" }}
          places={{ USER_NOT_FOUND: "newOwnerUserId" }}
          fields={{ newOwnerUserId: { label: text.offerTo, plain: true } }}
          onSubmit={offer(open.bot)}
          onClose={close}
        />
      )}
    </Page>
  );
}

function WithdrawButton({ onWithdraw }: { readonly onWithdraw: () => Promise<void> }) {
  const form = useForm({});
  return (
    <Button size="small" busy={form.busy.value} onClick={() => void form.submit(onWithdraw)}>
      {text.withdraw}
    </Button>
  );
}

function AcceptBot({ onAccepted }: { readonly onAccepted: (bot: User) => void }) {
  const { calls } = useSession();
  const form = useForm({ userId: "" }, { USER_NOT_FOUND: "userId" });
  const accept = async (values: { userId: string }) => {
    const { bot } = await calls.auth.acceptBot({ userId: values.userId.trim() });
    if (!bot) return;
    form.reset({ userId: "" });
    onAccepted(bot);
    showToast(text.accepted(bot.userId));
  };
  return (
    <Section title={text.accept} lead={text.acceptLead}>
      <FormView form={form} onSubmit={accept} submit={text.acceptIt} onlyChanged>
        <Field
          label={text.userId}
          error={form.errors.value.userId}
          value={form.values.value.userId}
          autoComplete="off"
          autoCapitalize="none"
          spellcheck={false}
          onValue={(value) => form.set("userId", value)}
        />
      </FormView>
    </Section>
  );
}
