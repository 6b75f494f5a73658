import { Button, Group } from '@mantine/core';

interface Props {
  /** What is done, in the button's words. */
  submit: string;
  busy?: boolean;
  disabled?: boolean;
  onCancel: () => void;
  /** Where there is no form around them. */
  onSubmit?: () => void;
}

/** What ends every form in a dialog or drawer. */
export const FormButtons = ({ submit, busy = false, disabled = false, onCancel, onSubmit }: Props) => (
  <Group justify="flex-end">
    <Button variant="default" onClick={onCancel}>
      Cancel
    </Button>
    <Button type={onSubmit ? 'button' : 'submit'} loading={busy} disabled={disabled} onClick={onSubmit}>
      {submit}
    </Button>
  </Group>
);
