'use client';
import { Center, SegmentedControl, useMantineColorScheme, type MantineColorScheme } from '@mantine/core';
import { COLOR_SCHEMES } from '@/features/shell/color-scheme-menu';
import { Section } from '@/ui/section';

export const Appearance = () => {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <Section title="Appearance" description="Kept in this browser.">
      <SegmentedControl
        fullWidth
        aria-label="Color scheme"
        value={colorScheme}
        onChange={(value) => setColorScheme(value as MantineColorScheme)}
        data={COLOR_SCHEMES.map(({ value, label, icon: Icon }) => ({
          value,
          label: (
            <Center style={{ gap: 6 }}>
              <Icon size={15} aria-hidden />
              <span>{value === 'auto' ? 'System' : label}</span>
            </Center>
          ),
        }))}
      />
    </Section>
  );
};
