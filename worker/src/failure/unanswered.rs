//! How far a call came that was not answered.

/// What became of a call that the target did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// There was no connection to be had: nothing was sent.
    NoConnection(Obstacle),
    /// It was sent, and no answer came in time.
    TimedOut,
    /// A proxy or a login page answered in the target's place.
    NotReached,
    /// It answered more than is read.
    TooLong,
}

/// Why there was no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// Nobody listens there, or the way is barred.
    Unreachable,
    /// The name of the host leads to no address.
    UnknownHost,
    /// The server does not speak TLS there.
    NoTls,
    /// The server's certificate is refused.
    Certificate,
}
