// Idles in a mailbox with imapflow until a message has come, changed and gone, and prints the events as JSON.
// The environment says where: IMAP_PORT, IMAP_USER, IMAP_TOKEN, IMAP_MAILBOX; READY_FILE is told the number of events.

import { renameSync, writeFileSync } from "node:fs";

import { ImapFlow } from "imapflow";

const EVENTS = 3;
const TIMEOUT = 20_000;

const client = new ImapFlow({
    host: "127.0.0.1",
    port: Number(process.env.IMAP_PORT),
    secure: false,
    doSTARTTLS: false,
    auth: { user: process.env.IMAP_USER, pass: process.env.IMAP_TOKEN },
    logger: false,
    disableAutoIdle: true,
});

const events = [];
let finish;
const finished = new Promise((resolve) => {
    finish = resolve;
});

function tell() {
    const file = process.env.READY_FILE;
    writeFileSync(`${file}.new`, String(events.length));
    renameSync(`${file}.new`, file);
}

for (const event of ["exists", "flags", "expunge"]) {
    client.on(event, (data) => {
        events.push({ event, ...data, flags: data.flags && [...data.flags].filter((flag) => flag !== "\\Recent") });
        tell();
        if (events.length === EVENTS) {
            finish();
        }
    });
}

await client.connect();
const timer = setTimeout(() => {
    finish();
}, TIMEOUT);
try {
    await client.mailboxOpen(process.env.IMAP_MAILBOX);
    events.length = 0;
    const idling = client.idle();
    tell();
    await finished;
    clearTimeout(timer);
    await client.noop();
    await idling;
} finally {
    await client.logout().catch(() => client.close());
}
// Mod-sequences are of a kind that JSON has no form for.
process.stdout.write(JSON.stringify(events, (_, value) => (typeof value === "bigint" ? String(value) : value)));
