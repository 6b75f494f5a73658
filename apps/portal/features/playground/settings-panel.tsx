'use client';
import { Button, Group, NumberInput, Paper, Stack, TagsInput, Text, Textarea, Title } from '@mantine/core';
import { AdvancedSettings } from './advanced-settings';
import { AmountSetting, type SettingsForm } from './amount-setting';
import { DEFAULT_SETTINGS } from './settings';

export const SettingsPanel = ({ form }: { form: SettingsForm }) => (
  <Paper p="md" component="section" aria-label="Settings">
    <Group justify="space-between" mb="sm">
      <Title order={2} size="h3">
        Settings
      </Title>
      <Button size="compact-xs" variant="subtle" onClick={() => form.setValues(DEFAULT_SETTINGS)}>
        Reset
      </Button>
    </Group>
    <Stack gap="md">
      <Textarea
        label="System prompt"
        placeholder="You are …"
        autosize
        minRows={3}
        maxRows={10}
        {...form.getInputProps('system')}
      />
      <AmountSetting
        form={form}
        field="temperature"
        label="Temperature"
        description="0 always takes the likeliest token"
        max={2}
      />
      <AmountSetting
        form={form}
        field="topP"
        label="Top P"
        description="Smallest set with this probability"
        max={1}
      />
      <Group grow align="flex-start">
        <NumberInput
          label="Top K"
          placeholder="all"
          min={0}
          allowDecimal={false}
          {...form.getInputProps('topK')}
        />
        <NumberInput
          label="Max tokens"
          placeholder="default"
          min={1}
          allowDecimal={false}
          {...form.getInputProps('maxTokens')}
        />
      </Group>
      <TagsInput
        label="Stop strings"
        placeholder="Type and press Enter"
        maxTags={8}
        acceptValueOnBlur
        {...form.getInputProps('stop')}
      />
      <AdvancedSettings form={form} />
      <Text size="xs" c="dimmed">
        The same seed and settings give the same answer.
      </Text>
    </Stack>
  </Paper>
);
