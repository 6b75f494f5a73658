'use client';
import {
  Button,
  Group,
  InputWrapper,
  NumberInput,
  Paper,
  Slider,
  Stack,
  TagsInput,
  Text,
  Textarea,
  Title,
} from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { useId } from 'react';
import { DEFAULT_SETTINGS, type Settings } from './settings';

type SettingsForm = UseFormReturnType<Settings>;

interface FractionProps {
  form: SettingsForm;
  field: 'temperature' | 'topP' | 'minP';
  label: string;
  description: string;
  max: number;
}

/** A setting between 0 and `max`, by slider or to the hundredth. */
const Fraction = ({ form, field, label, description, max }: FractionProps) => {
  const id = useId();
  const value = form.values[field];
  const change = (next: number | string): void => {
    if (typeof next === 'number') form.setFieldValue(field, next);
  };
  return (
    <InputWrapper
      label={label}
      description={description}
      error={form.errors[field]}
      labelProps={{ htmlFor: id }}
    >
      <Group gap="sm" wrap="nowrap" mt={4}>
        <Slider
          flex={1}
          min={0}
          max={max}
          step={0.01}
          value={value}
          onChange={change}
          label={null}
          thumbProps={{ 'aria-label': `${label} slider` }}
        />
        <NumberInput
          id={id}
          w={74}
          size="xs"
          min={0}
          max={max}
          step={0.05}
          decimalScale={2}
          value={value}
          onChange={change}
          clampBehavior="strict"
        />
      </Group>
    </InputWrapper>
  );
};

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
      <Fraction
        form={form}
        field="temperature"
        label="Temperature"
        description="0 always takes the likeliest token"
        max={2}
      />
      <Fraction
        form={form}
        field="topP"
        label="Top P"
        description="Smallest set with this probability"
        max={1}
      />
      <Fraction
        form={form}
        field="minP"
        label="Min P"
        description="Relative to the likeliest token"
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
      <NumberInput
        label="Seed"
        placeholder="random"
        min={0}
        max={4294967295}
        allowDecimal={false}
        {...form.getInputProps('seed')}
      />
      <TagsInput
        label="Stop strings"
        placeholder="Type and press Enter"
        maxTags={8}
        acceptValueOnBlur
        {...form.getInputProps('stop')}
      />
      <Text size="xs" c="dimmed">
        The same seed and settings give the same answer.
      </Text>
    </Stack>
  </Paper>
);
