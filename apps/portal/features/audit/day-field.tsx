'use client';
import { TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { useEffect, useRef, useState } from 'react';

interface Props {
  label: string;
  /** "YYYY-MM-DD", or empty. */
  value: string;
  error: string | boolean | null;
  onDay: (day: string) => void;
}

/** A day is typed part by part, each of which makes another date of it: it is handed on once typing rests. */
export const DayField = ({ label, value, error, onDay }: Props) => {
  const [text, setText] = useState(value);
  const handedOn = useRef(value);
  const handOn = useDebouncedCallback((day: string) => {
    if (day === handedOn.current) return;
    handedOn.current = day;
    onDay(day);
  }, 400);
  useEffect(() => {
    // Our own change coming back must not undo what has been typed since.
    if (value === handedOn.current) return;
    handedOn.current = value;
    setText(value);
  }, [value]);
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
