import type { ComponentChildren } from "preact";
import { Button } from "../../ui/Button";
import { CheckIcon, InfoIcon, WarningIcon } from "../../ui/icons";
import "./Notice.css";

interface NoticeProps {
  readonly tone?: "plain" | "good" | "warning" | "danger";
  readonly action?: { readonly label: string; readonly onAction: () => void };
  readonly children: ComponentChildren;
}

/** A sentence or two that must not be overlooked. Failures are announced at once. */
export function Notice({ tone = "plain", action, children }: NoticeProps) {
  return (
    <div class={`notice notice--${tone}`} role={tone === "danger" ? "alert" : "status"}>
      <span class="notice__icon">
        {tone === "plain" ? <InfoIcon /> : tone === "good" ? <CheckIcon /> : <WarningIcon />}
      </span>
      <div class="notice__text" dir="auto">
        {children}
      </div>
      {action && (
        <Button size="small" onClick={action.onAction}>
          {action.label}
        </Button>
      )}
    </div>
  );
}
