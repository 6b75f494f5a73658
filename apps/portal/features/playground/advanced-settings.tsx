'use client';
import { Accordion, Group, JsonInput, NumberInput, Stack } from '@mantine/core';
import { useState } from 'react';
import { AmountSetting, type SettingsForm } from './amount-setting';
import { ADVANCED_SETTINGS } from './settings';

/** What few need, folded away; a mistake in it unfolds it. */
export const AdvancedSettings = ({ form }: { form: SettingsForm }) => {
  const [open, setOpen] = useState<string | null>(null);
  const faulty = ADVANCED_SETTINGS.some((name) => form.errors[name]);
  return (
    <Accordion
      value={faulty ? 'advanced' : open}
      onChange={setOpen}
      order={3}
      styles={{ item: { border: 0 }, control: { paddingInline: 0 }, content: { paddingInline: 0 } }}
    >
      <Accordion.Item value="advanced">
        <Accordion.Control>Advanced</Accordion.Control>
        <Accordion.Panel>
          <Stack gap="md">
            <Amounts form={form} />
            <Group grow align="flex-start">
              <NumberInput
                label="Min tokens"
                placeholder="none"
                min={0}
                allowDecimal={false}
                {...form.getInputProps('minTokens')}
              />
              <NumberInput
                label="Seed"
                placeholder="random"
                min={0}
                max={4294967295}
                allowDecimal={false}
                {...form.getInputProps('seed')}
              />
            </Group>
            <JsonInput
              label="JSON schema"
              description="Every answer is JSON that matches it"
              placeholder='{ "type": "object" }'
              validationError="A JSON object"
              formatOnBlur
              autosize
              minRows={3}
              maxRows={14}
              spellCheck={false}
              styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
              {...form.getInputProps('jsonSchema')}
            />
          </Stack>
        </Accordion.Panel>
      </Accordion.Item>
    </Accordion>
  );
};

const Amounts = ({ form }: { form: SettingsForm }) => (
  <>
    <AmountSetting
      form={form}
      field="minP"
      label="Min P"
      description="Relative to the likeliest token"
      max={1}
    />
    <AmountSetting
      form={form}
      field="repetitionPenalty"
      label="Repetition penalty"
      description="1 is off; counts prompt and answer"
      max={2}
    />
    <AmountSetting
      form={form}
      field="frequencyPenalty"
      label="Frequency penalty"
      description="For each time a token was used"
      min={-2}
      max={2}
    />
    <AmountSetting
      form={form}
      field="presencePenalty"
      label="Presence penalty"
      description="For tokens that were used at all"
      min={-2}
      max={2}
    />
  </>
);
