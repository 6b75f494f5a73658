'use client';
import { TextInput } from '@mantine/core';
import { useTypedValue } from '@/ui/use-typed-value';

interface Props {
  label: string;
  /** "YYYY-MM-DD", or empty. */
  value: string;
  error: string | boolean | null;
  onDay: (day: string) => void;
}

/** A day is typed part by part, each of which makes another date of it: it is handed on once typing rests. */
export const DayField = ({ label, value, error, onDay }: Props) => {
  const { text, setText, handOn } = useTypedValue(value, 400, onDay);
  return (
    <TextInput
      type="date"
      label={label}
      value={text}
      error={error}
      onChange={(event) => {
        setText(event.currentTarget.value);
        handOn(event.currentTarget.value);
      }}
    />
  );
};
