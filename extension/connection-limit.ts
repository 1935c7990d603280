/**
 * Keeps the number of connections below what the process has descriptors for, at the cost of those that have been longest
 * without a complete request: idle ones, and ones that drip.
 */
import type { Socket } from "node:net";

export interface ConnectionLimit {
  /** False when there are too many, each with a request under way. The socket is forgotten when it closes. */
  admit(socket: Socket): boolean;
  /** A complete request has come. */
  begin(socket: Socket): void;
  /** It has been answered. */
  end(socket: Socket): void;
}

export function createConnectionLimit(most: number): ConnectionLimit {
  /** With how many requests there are under way on each. */
  const connections = new Map<Socket, number>();
  /** Those without a request under way, in the order of the last one: a Set keeps the order of insertion. */
  const idle = new Set<Socket>();

  return {
    admit(socket) {
      if (connections.size >= most) {
        const [longest] = idle;
        if (longest === undefined) return false;
        idle.delete(longest);
        connections.delete(longest);
        longest.destroy();
      }
      connections.set(socket, 0);
      idle.add(socket);
      socket.once("close", () => {
        connections.delete(socket);
        idle.delete(socket);
      });
      return true;
    },
    begin(socket) {
      connections.set(socket, (connections.get(socket) ?? 0) + 1);
      idle.delete(socket);
    },
    end(socket) {
      const left = (connections.get(socket) ?? 0) - 1;
      if (left < 0) return;
      connections.set(socket, left);
      if (left === 0) idle.add(socket);
    },
  };
}
