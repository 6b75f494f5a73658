'use client';
import { Button, Menu } from '@mantine/core';
import { IconDownload, IconFileTypeCsv, IconJson } from '@tabler/icons-react';
import { exportHref, type AuditView } from './audit-view';

const FORMATS = [
  { extension: 'csv', label: 'CSV', icon: IconFileTypeCsv },
  { extension: 'jsonl', label: 'JSON lines', icon: IconJson },
] as const;

/** All that the filters let through, whatever page is shown, from the API's own door for downloads. */
export const ExportMenu = ({ view }: { view: AuditView }) => (
  <Menu position="bottom-end" withinPortal>
    <Menu.Target>
      <Button variant="default" leftSection={<IconDownload size={16} aria-hidden />}>
        Export
      </Button>
    </Menu.Target>
    <Menu.Dropdown>
      {FORMATS.map(({ extension, label, icon: Icon }) => (
        <Menu.Item key={extension} component="a" href={exportHref(view, extension)} download leftSection={<Icon size={16} aria-hidden />}>
          {label}
        </Menu.Item>
      ))}
    </Menu.Dropdown>
  </Menu>
);
