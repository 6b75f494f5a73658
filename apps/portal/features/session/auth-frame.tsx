'use client';
import { Group, Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { LogoMark } from '@/ui/logo';
import { PomegranateArt } from './pomegranate-art';
import classes from './auth-frame.module.css';

/** The two halves of the sign-in and sign-up pages: the form, and what it is the door to. */
export const AuthFrame = ({
  title,
  subtitle,
  children,
}: {
  title: string;
  subtitle: string;
  children: ReactNode;
}) => (
  <div className={classes.frame}>
    <main className={classes.form}>
      <Stack w="100%" maw={400} gap="xl">
        <Group gap="sm">
          <LogoMark size={36} />
          <Text fw={700} fz={22} style={{ letterSpacing: '-0.03em' }}>
            Aril
          </Text>
        </Group>
        <div>
          <Title order={1}>{title}</Title>
          <Text c="dimmed" mt={6}>
            {subtitle}
          </Text>
        </div>
        {children}
      </Stack>
    </main>
    <aside className={classes.art}>
      <PomegranateArt className={classes.fruit} />
      <div className={classes.pitch}>
        <Text fz={26} fw={650} lh={1.25} style={{ letterSpacing: '-0.02em' }}>
          Many fine-tunes, one base model, one batch.
        </Text>
        <Text mt="xs" opacity={0.85}>
          Upload a LoRA adapter and call it a second later. Nothing is provisioned for it, and nothing is paid
          while it is idle.
        </Text>
      </div>
    </aside>
  </div>
);
