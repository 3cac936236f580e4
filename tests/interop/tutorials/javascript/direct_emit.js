// Tutorial 4, who tells: node direct_emit.js EXCHANGE SEVERITY TEXT

import { connect } from "./tutorial.js";

const [exchange, key, text] = process.argv.slice(2);
const connection = await connect();
const channel = await connection.createChannel();
await channel.assertExchange(exchange, "direct", { durable: false });
channel.publish(exchange, key, Buffer.from(text));
await channel.close();
await connection.close();
console.log(`sent: ${key}: ${text}`);
