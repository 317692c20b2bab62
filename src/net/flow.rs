//! Bytes between the two sockets of a session and its buffers.

use std::io;
use std::task::{Context, Poll, ready};

use super::channel::Channel;
use super::driver::End;
use super::upstream::Upstream;
use crate::transport::Stream;

/// Which side may be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wants {
    pub client: bool,
    pub upstream: bool,
}

/// One round of reading and writing on both sides; ready when anything moved.
pub(super) fn poll_io(
    cx: &mut Context<'_>,
    client: &mut Channel<Stream>,
    upstream: &mut Upstream,
    wants: Wants,
) -> Poll<Result<(), End>> {
    let mut moved = false;
    if client.owes() || upstream.cleared > 0 {
        match poll_answer(cx, client, upstream) {
            // Writing by itself gives nothing to do, unless something waited for it.
            Poll::Ready(Ok(())) => moved = !wants.upstream || client.has_ended(),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(End::ClientFailed(error))),
            Poll::Pending => {}
        }
    }
    if upstream.channel.owes() {
        match upstream.channel.poll_write(cx) {
            // Frames at hand may have waited for room.
            Poll::Ready(Ok(())) => moved |= !wants.client || !client.input.is_empty(),
            // What the server said before it went is worth more than the failed write.
            Poll::Ready(Err(error)) if upstream.channel.has_ended() => {
                return Poll::Ready(Err(End::UpstreamFailed(error)));
            }
            Poll::Ready(Err(_)) => upstream.channel.output.clear(),
            Poll::Pending => {}
        }
    }
    if wants.upstream {
        match upstream.channel.poll_read(cx) {
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(End::UpstreamClosed)),
            Poll::Ready(Ok(_)) => moved = true,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(End::UpstreamFailed(error))),
            Poll::Pending => {}
        }
    }
    if wants.client {
        match client.poll_read(cx) {
            Poll::Ready(Ok(_)) => moved = true,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(End::ClientFailed(error))),
            Poll::Pending => {}
        }
    }
    if moved { Poll::Ready(Ok(())) } else { Poll::Pending }
}

/// Writes what the client is owed: its output, then what stands cleared in the upstream's input.
fn poll_answer(
    cx: &mut Context<'_>,
    client: &mut Channel<Stream>,
    upstream: &mut Upstream,
) -> Poll<io::Result<()>> {
    if !client.output.is_empty() {
        ready!(client.poll_write(cx))?;
    }
    while upstream.cleared > 0 {
        let written = ready!(client.poll_write_front(cx, &mut upstream.channel.input, upstream.cleared))?;
        upstream.cleared -= written;
    }
    client.poll_write(cx)
}
