import { useSession } from "../../app/context";
import { showToast } from "../../ui/toasts";
import { manageWords } from "../../words/manage";
import { FormDialog } from "../kit/FormDialog";

const text = manageWords.admin.bots;

interface AssignBotDialogProps {
  readonly botId: string;
  readonly onAssigned: () => void;
  readonly onClose: () => void;
}

/** Gives a bot whose owner is blocked to somebody else. */
export function AssignBotDialog({ botId, onAssigned, onClose }: AssignBotDialogProps) {
  const { calls } = useSession();
  const assign = async ({ ownerUserId }: { ownerUserId: string }) => {
    await calls.admin.assignBotOwner({ userId: botId, ownerUserId: ownerUserId.trim() });
    showToast(text.assigned(botId, ownerUserId.trim()));
    onAssigned();
  };
  return (
    <FormDialog
      title={text.assignTitle(botId)}
      lead={text.assignLead}
      submit={text.assignIt}
      initial={{ ownerUserId: "" }}
      places={{ USER_NOT_FOUND: "ownerUserId" }}
      fields={{ ownerUserId: { label: text.owner, plain: true } }}
      onSubmit={assign}
      onClose={onClose}
    />
  );
}
