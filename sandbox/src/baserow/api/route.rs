//! The paths of the API, and which methods each one has.

/// A row, by its table's id and its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowPath {
    pub(crate) table: u64,
    pub(crate) row: u64,
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Health,
    LogIn,
    TokenCheck,
    Tokens,
    Workspaces,
    Databases(u64),
    AllTables,
    Applications,
    Tables(u64),
    Rows(u64),
    Row(RowPath),
    RowMove(RowPath),
    Batch(u64),
    BatchDelete(u64),
    Fields(u64),
    Field(u64),
    Webhooks(u64),
    Webhook(u64),
    Restore,
}

impl RowPath {
    fn of(table: &str, row: &str) -> Option<Self> {
        Some(Self {
            table: number(table)?,
            row: number(row)?,
        })
    }
}

/// Which credentials a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// No credentials are needed.
    Open,
    /// A database token or a session.
    TokenOrSession,
    /// A session only; a token counts as no credentials.
    Session,
    /// A token only; other callers get 403.
    Token,
}

impl Route {
    /// The route of a path, which must end with a slash.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.strip_prefix("/api/")?.strip_suffix('/')?.split('/').collect();
        let route = match segments.as_slice() {
            ["_health"] => Self::Health,
            ["user", "token-auth"] => Self::LogIn,
            ["applications"] => Self::Applications,
            ["applications", "workspace", workspace] => Self::Databases(number(workspace)?),
            ["workspaces"] => Self::Workspaces,
            ["trash", "restore"] => Self::Restore,
            ["database", rest @ ..] => Self::of_database(rest)?,
            _ => return None,
        };
        Some(route)
    }

    fn of_database(segments: &[&str]) -> Option<Self> {
        Some(match segments {
            ["tokens"] => Self::Tokens,
            ["tokens", "check"] => Self::TokenCheck,
            ["tables", "all-tables"] => Self::AllTables,
            ["tables", "database", database] => Self::Tables(number(database)?),
            ["rows", "table", table] => Self::Rows(number(table)?),
            ["rows", "table", table, "batch"] => Self::Batch(number(table)?),
            ["rows", "table", table, "batch-delete"] => Self::BatchDelete(number(table)?),
            ["rows", "table", table, row] => Self::Row(RowPath::of(table, row)?),
            ["rows", "table", table, row, "move"] => Self::RowMove(RowPath::of(table, row)?),
            ["fields", "table", table] => Self::Fields(number(table)?),
            ["fields", field] => Self::Field(number(field)?),
            ["webhooks", "table", table] => Self::Webhooks(number(table)?),
            ["webhooks", webhook] => Self::Webhook(number(webhook)?),
            _ => return None,
        })
    }

    /// The methods of the route, as its `Allow` header lists them. The health check has no such
    /// header.
    pub(crate) const fn allow(self) -> Option<&'static str> {
        Some(match self {
            Self::Health => return None,
            Self::TokenCheck | Self::AllTables => "GET, HEAD, OPTIONS",
            Self::LogIn | Self::BatchDelete(_) => "POST, OPTIONS",
            Self::Applications
            | Self::Databases(_)
            | Self::Workspaces
            | Self::Tokens
            | Self::Tables(_)
            | Self::Rows(_)
            | Self::Fields(_)
            | Self::Webhooks(_) => "GET, POST, HEAD, OPTIONS",
            Self::Row(_) | Self::Field(_) | Self::Webhook(_) => "GET, PATCH, DELETE, HEAD, OPTIONS",
            Self::RowMove(_) | Self::Restore => "PATCH, OPTIONS",
            Self::Batch(_) => "POST, PATCH, OPTIONS",
        })
    }

    /// The credentials that a call needs. A token may read fields; only a user may change them.
    pub(crate) fn door(self, method: &str) -> Door {
        match self {
            Self::Health | Self::LogIn => Door::Open,
            Self::TokenCheck => Door::Token,
            Self::Fields(_) if method != "GET" && method != "HEAD" => Door::Session,
            Self::AllTables
            | Self::Rows(_)
            | Self::Row(_)
            | Self::RowMove(_)
            | Self::Batch(_)
            | Self::BatchDelete(_)
            | Self::Fields(_) => Door::TokenOrSession,
            Self::Applications
            | Self::Databases(_)
            | Self::Workspaces
            | Self::Tokens
            | Self::Tables(_)
            | Self::Field(_)
            | Self::Webhooks(_)
            | Self::Webhook(_)
            | Self::Restore => Door::Session,
        }
    }
}

fn number(segment: &str) -> Option<u64> {
    let digits = !segment.is_empty() && segment.chars().all(|character| character.is_ascii_digit());
    if digits { segment.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_without_its_last_slash_is_no_route() {
        assert_eq!(Route::of("/api/database/rows/table/2/"), Some(Route::Rows(2)));
        assert_eq!(Route::of("/api/database/rows/table/2"), None);
        assert_eq!(Route::of("/api/database/rows/table/2/abc/"), None);
        assert_eq!(Route::of("/api/database/rows/table/2/-1/"), None);
    }
}
