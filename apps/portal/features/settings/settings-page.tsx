'use client';
import { Grid, Stack } from '@mantine/core';
import { LimitsSection } from '@/features/limits/limits-section';
import { useSession } from '@/features/session/session-context';
import { PageHeader } from '@/ui/page-header';
import { Account } from './account/account';
import { SecondFactor } from './account/second-factor';
import { SignIns } from './account/sign-ins';
import { Appearance } from './appearance';
import { Members } from './members/members';
import { Storage } from './storage';
import { Workspace } from './workspace';

export const SettingsPage = () => {
  const { tenant } = useSession();
  return (
    <>
      <PageHeader
        title="Settings"
        description="Your workspace, who is in it, and how the portal looks to you."
      />
      <Grid gap="lg">
        <Grid.Col span={{ base: 12, md: 7 }}>
          <Stack gap="lg">
            <Workspace />
            <LimitsSection />
            <Members />
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 5 }}>
          <Stack gap="lg">
            <Appearance />
            <Storage storage={tenant.storage} />
            <Account />
            <SecondFactor />
            <SignIns />
          </Stack>
        </Grid.Col>
      </Grid>
    </>
  );
};
