'use client';
import { Alert, Button, Stack, Switch } from '@mantine/core';
import { schemaResolver, useForm } from '@mantine/form';
import { IconEraser } from '@tabler/icons-react';
import { useState } from 'react';
import { PageHeader } from '@/ui/page-header';
import { Composer } from './composer';
import { Pane } from './pane';
import { DEFAULT_SETTINGS, settingsSchemaFor, type Settings } from './settings';
import { SettingsPanel } from './settings-panel';
import { useConversation } from './use-conversation';
import { useTargets } from './use-targets';
import classes from './playground.module.css';

export const PlaygroundPage = () => {
  const { targets, choose, compare, setCompare, contextTokensMax } = useTargets();
  const [left, right] = [useConversation(), useConversation()];
  const [invalid, setInvalid] = useState(false);
  const form = useForm<Settings>({
    initialValues: DEFAULT_SETTINGS,
    validate: schemaResolver(settingsSchemaFor(contextTokensMax), { sync: true }),
    validateInputOnChange: true,
  });
  const sides = compare ? [left, right] : [left];
  const busy = sides.some((side) => side.busy);
  const ready = targets[0] !== null && (!compare || targets[1] !== null);

  const send = async (prompt: string): Promise<boolean> => {
    const hasErrors = form.validate().hasErrors;
    setInvalid(hasErrors);
    if (hasErrors) return false;
    const taken = await Promise.all(
      sides.map((side, index) => {
        const target = targets[index];
        return target ? side.send(target, prompt, form.getValues()) : false;
      }),
    );
    return taken.some(Boolean);
  };
  const toggleCompare = (on: boolean): void => {
    if (!on) right.clear();
    setCompare(on);
  };

  return (
    <>
      <PageHeader
        title="Playground"
        description="Talk to an adapter, or ask two targets the same and compare."
        actions={
          <>
            <Switch
              label="Compare two"
              checked={compare}
              onChange={(event) => toggleCompare(event.currentTarget.checked)}
              disabled={busy}
            />
            <Button
              variant="default"
              leftSection={<IconEraser size={16} />}
              onClick={() => sides.forEach((side) => side.clear())}
              disabled={sides.every((side) => side.turns.length === 0)}
            >
              Clear
            </Button>
          </>
        }
      />
      <div className={classes.layout}>
        <Stack gap="md" miw={0}>
          <div className={classes.panes} data-compare={compare || undefined}>
            <Pane
              label={compare ? 'Side A' : 'Chat'}
              target={targets[0]}
              onTarget={(target) => choose(0, target)}
              turns={left.turns}
            />
            {compare && (
              <Pane
                label="Side B"
                target={targets[1]}
                onTarget={(target) => choose(1, target)}
                turns={right.turns}
              />
            )}
          </div>
          {invalid && !form.isValid() && (
            <Alert color="red">Some settings are not valid. Correct them to send.</Alert>
          )}
          <Composer
            busy={busy}
            disabled={!ready}
            compare={compare}
            onSend={send}
            onStop={() => sides.filter((side) => side.busy).forEach((side) => side.stop())}
          />
        </Stack>
        <SettingsPanel form={form} />
      </div>
    </>
  );
};
