//! Patterns of paths: `{a,b}` written out, the rest split into names.
//!
//! An own matcher because the scanner needs the pattern name by name, to walk only where something can match, and because paths are
//! bytes. The tests hold it against the crate globset.

use std::fmt;

/// Alternatives that one pattern may stand for, at most. More is a mistake, or meant to eat memory.
const MAX_ALTERNATIVES: usize = 256;
/// Bytes of a file's name, at most.
const NAME_MAX: usize = 255;
/// Bytes of a pattern, at most.
const MAX_BYTES: usize = 1024;

/// Where a pattern begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// `/…`: at the root.
    Root,
    /// `~/…`: in each user's home.
    Home,
    /// `**/…`: anywhere.
    Anywhere,
}

/// One step of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Component {
    /// Exactly this name.
    Literal(String),
    /// A name with `*` (any bytes) or `?` (any one byte) in it.
    Wildcard(String),
    /// `**`: any number of directories, none among them.
    AnyDepth,
}

/// A pattern without alternatives. Never empty, and never ends with [`Component::AnyDepth`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    anchor: Anchor,
    components: Vec<Component>,
}

/// What is wrong with a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It begins in no known way.
    #[error("it has to begin with / (the root), ~/ (each home) or **/ (anywhere)")]
    Anchor,
    /// It begins with `~user`.
    #[error("a home of one user cannot be named by ~: write ~/ for each home, or the whole path of that one")]
    User,
    /// It ends with a slash.
    #[error(
        "it ends with /, and no file's path does: leave the / out, or write /** behind the directory for all that lies below it"
    )]
    TrailingSlash,
    /// A name of it is longer than any file's, or holds what no name can.
    #[error("no file can be called so: a name has at most 255 bytes and no NUL in it")]
    Impossible,
    /// It has an empty name, `.` or `..` in it.
    #[error("it has an empty name, . or .. in it: write the path as it is after resolving these")]
    Name,
    /// `**` stands within a name.
    #[error("** has to stand for a whole name, as in /a/**/b")]
    AnyDepth,
    /// A `{` without its `}` or the other way round.
    #[error("a brace has no partner: alternatives are {{a,b}}, and ? stands for a brace in a name")]
    Brace,
    /// It has `[`, `]` or `\` in it.
    #[error("character classes and escapes are not known, only *, ?, ** and {{a,b}}")]
    Class,
    /// It is too long, or stands for too many.
    #[error("it is longer than 1024 bytes or stands for more than 256 patterns: write several")]
    TooMany,
}

impl Pattern {
    /// Reads a pattern; alternatives are written out, so one text can be several patterns.
    pub fn parse(text: &str) -> Result<Vec<Self>, PatternError> {
        expand(text)?
            .iter()
            .map(|plain| Self::parse_plain(plain))
            .collect()
    }

    /// Where it begins.
    #[must_use]
    pub fn anchor(&self) -> Anchor {
        self.anchor
    }

    /// Its steps below the anchor.
    #[must_use]
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// Whether it names every file below its anchor, whatever it is called.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        let any_name = |component: &Component| match component {
            Component::Literal(_) => false,
            Component::Wildcard(name) => name.bytes().all(|byte| byte == b'*'),
            Component::AnyDepth => true,
        };
        self.components.contains(&Component::AnyDepth) && self.components.iter().all(any_name)
    }

    /// Whether an absolute path matches. One that begins at a home never does here: use [`Self::matches_names`] below each home.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        let Some(below_root) = path.strip_prefix(b"/") else {
            return false;
        };
        let names: Vec<&[u8]> = below_root.split(|byte| *byte == b'/').collect();
        self.anchor != Anchor::Home && self.matches_names(&names)
    }

    /// Whether the names of a path, below the anchor, match.
    #[must_use]
    pub fn matches_names(&self, names: &[&[u8]]) -> bool {
        wild_match(
            &self.components,
            names,
            |component| *component == Component::AnyDepth,
            |component, name| component.matches(name),
        )
    }

    fn parse_plain(text: &str) -> Result<Self, PatternError> {
        let (anchor, rest) = if let Some(rest) = text.strip_prefix("~/") {
            (Anchor::Home, rest)
        } else if let Some(rest) = text.strip_prefix('/') {
            (Anchor::Root, rest)
        } else if text.starts_with("**/") {
            (Anchor::Anywhere, text)
        } else if text.starts_with('~') && text != "~" {
            return Err(PatternError::User);
        } else {
            return Err(PatternError::Anchor);
        };
        if rest.ends_with('/') {
            return Err(PatternError::TrailingSlash);
        }
        let mut components = rest
            .split('/')
            .map(Component::parse)
            .collect::<Result<Vec<_>, _>>()?;
        components.dedup_by(|a, b| *a == Component::AnyDepth && *b == Component::AnyDepth);
        if components.last() == Some(&Component::AnyDepth) {
            // `/a/**` is everything below /a, not /a itself.
            components.push(Component::Wildcard("*".to_owned()));
        }
        Ok(Self { anchor, components })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.anchor {
            Anchor::Root => "/",
            Anchor::Home => "~/",
            Anchor::Anywhere => "",
        })?;
        for (at, component) in self.components.iter().enumerate() {
            if at > 0 {
                f.write_str("/")?;
            }
            f.write_str(match component {
                Component::Literal(name) | Component::Wildcard(name) => name,
                Component::AnyDepth => "**",
            })?;
        }
        Ok(())
    }
}

impl Component {
    /// Whether one name matches. [`Component::AnyDepth`] takes any.
    #[must_use]
    pub fn matches(&self, name: &[u8]) -> bool {
        match self {
            Self::Literal(literal) => literal.as_bytes() == name,
            Self::Wildcard(pattern) => wild_match(
                pattern.as_bytes(),
                name,
                |byte| *byte == b'*',
                |p, byte| *p == b'?' || p == byte,
            ),
            Self::AnyDepth => true,
        }
    }

    fn parse(name: &str) -> Result<Self, PatternError> {
        match name {
            "" | "." | ".." => Err(PatternError::Name),
            "**" => Ok(Self::AnyDepth),
            // Stars may stand for nothing.
            _ if name.contains('\0') || name.bytes().filter(|byte| *byte != b'*').count() > NAME_MAX => {
                Err(PatternError::Impossible)
            }
            _ if name.contains("**") => Err(PatternError::AnyDepth),
            _ if name.contains(['[', ']', '\\']) => Err(PatternError::Class),
            _ if name.contains(['*', '?']) => Ok(Self::Wildcard(name.to_owned())),
            _ => Ok(Self::Literal(name.to_owned())),
        }
    }
}

/// The usual matcher for patterns with stars, over bytes as over names: on a mismatch only the last star takes one more. Time is at most
/// pattern times text; there is no recursion.
fn wild_match<P, T>(
    pattern: &[P],
    text: &[T],
    star: impl Fn(&P) -> bool,
    one: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut last_star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(step) if star(step) => {
                last_star = Some((p, t));
                p += 1;
            }
            Some(step) if one(step, &text[t]) => {
                p += 1;
                t += 1;
            }
            _ => match last_star {
                None => return false,
                Some((at, taken)) => {
                    last_star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
            },
        }
    }
    pattern[p..].iter().all(star)
}

/// Writes `{a,b}` out, also nested.
fn expand(text: &str) -> Result<Vec<String>, PatternError> {
    if text.len() > MAX_BYTES {
        return Err(PatternError::TooMany);
    }
    let mut done = Vec::new();
    let mut open = vec![text.to_owned()];
    while let Some(text) = open.pop() {
        match first_group(&text)? {
            None => done.push(text),
            Some((start, end)) => {
                let (before, group, after) = (&text[..start], &text[start + 1..end], &text[end + 1..]);
                // Last first: what is popped first stands first.
                open.extend(
                    alternatives(group)
                        .iter()
                        .rev()
                        .map(|one| format!("{before}{one}{after}")),
                );
            }
        }
        if done.len() + open.len() > MAX_ALTERNATIVES {
            return Err(PatternError::TooMany);
        }
    }
    Ok(done)
}

/// Where the first outermost `{…}` begins and ends.
fn first_group(text: &str) -> Result<Option<(usize, usize)>, PatternError> {
    let (mut start, mut depth) = (None, 0_usize);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => {
                start = start.or(Some(at));
                depth += 1;
            }
            b'}' => {
                depth = depth.checked_sub(1).ok_or(PatternError::Brace)?;
                if let (0, Some(start)) = (depth, start) {
                    return Ok(Some((start, at)));
                }
            }
            _ => {}
        }
    }
    if depth == 0 {
        Ok(None)
    } else {
        Err(PatternError::Brace)
    }
}

/// The parts between the outermost commas.
fn alternatives(group: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    group
        .split(|c: char| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            c == ',' && depth == 0
        })
        .collect()
}

#[cfg(test)]
mod tests;
