//! A connection whose small writes go out together: the head of an answer and the start of its body become one packet
//! and one system call. Nothing is held back once it is told to flush.

use async_trait::async_trait;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::{SslDigest, TlsRef};
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream, TimingDigest, UniqueID, UniqueIDType,
};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes held until the next flush; more are written through.
const HELD: usize = 8 * 1024;

/// The connection.
#[derive(Debug)]
pub struct Joined {
    inner: Stream,
    held: Vec<u8>,
}

impl Joined {
    /// Joins the writes to `inner`.
    #[must_use]
    pub fn new(inner: Stream) -> Self {
        Self { inner, held: Vec::new() }
    }

    /// Writes what is held. The memory is given back: most connections are idle most of the time.
    fn poll_release(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            match ready!(Pin::new(&mut self.inner).poll_write(context, &self.held))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written if written == self.held.len() => self.held = Vec::new(),
                written => drop(self.held.drain(..written)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Joined {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for Joined {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.held.len() + bytes.len() > HELD {
            ready!(self.poll_release(context))?;
            if bytes.len() > HELD {
                return Pin::new(&mut self.inner).poll_write(context, bytes);
            }
        }
        self.held.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_release(context))?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_release(context))?;
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[async_trait]
impl Shutdown for Joined {
    async fn shutdown(&mut self) {
        // The far end may be gone, and is being left anyway.
        let _ = tokio::io::AsyncWriteExt::flush(self).await;
        self.inner.shutdown().await;
    }
}

#[async_trait]
impl Peek for Joined {
    async fn try_peek(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        self.inner.try_peek(buffer).await
    }
}

impl UniqueID for Joined {
    fn id(&self) -> UniqueIDType {
        self.inner.id()
    }
}

impl Ssl for Joined {
    fn get_ssl(&self) -> Option<&TlsRef> {
        self.inner.get_ssl()
    }

    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner.selected_alpn_proto()
    }
}

impl GetTimingDigest for Joined {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner.get_timing_digest()
    }

    fn get_read_pending_time(&self) -> Duration {
        self.inner.get_read_pending_time()
    }

    fn get_write_pending_time(&self) -> Duration {
        self.inner.get_write_pending_time()
    }
}

impl GetProxyDigest for Joined {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.inner.get_proxy_digest()
    }

    fn set_proxy_digest(&mut self, digest: ProxyDigest) {
        self.inner.set_proxy_digest(digest);
    }
}

impl GetSocketDigest for Joined {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner.get_socket_digest()
    }

    fn set_socket_digest(&mut self, digest: SocketDigest) {
        self.inner.set_socket_digest(digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    #[tokio::test]
    async fn small_writes_go_out_together_at_the_flush_and_large_ones_in_order() {
        let (near, mut far) = duplex(1 << 20);
        let mut joined = Joined::new(Box::new(near));
        joined.write_all(b"head").await.unwrap();
        joined.write_all(b"body").await.unwrap();
        assert_eq!(joined.held, b"headbody");
        joined.write_all(&[b'x'; HELD]).await.unwrap();
        joined.write_all(&[b'y'; HELD + 1]).await.unwrap();
        joined.flush().await.unwrap();
        assert!(joined.held.is_empty());
        let mut arrived = vec![0; 8 + HELD + HELD + 1];
        far.read_exact(&mut arrived).await.unwrap();
        assert!(
            arrived.starts_with(b"headbodyxx") && arrived.ends_with(b"yy") && arrived[8 + HELD - 1] == b'x' && arrived[8 + HELD] == b'y'
        );
    }
}
