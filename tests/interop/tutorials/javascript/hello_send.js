// Tutorial 1, the sender: node hello_send.js QUEUE TEXT

import { connect } from "./tutorial.js";

const [queue, text] = process.argv.slice(2);
const connection = await connect();
const channel = await connection.createChannel();
await channel.assertQueue(queue, { durable: false });
channel.sendToQueue(queue, Buffer.from(text));
await channel.close();
await connection.close();
console.log(`sent: ${text}`);
