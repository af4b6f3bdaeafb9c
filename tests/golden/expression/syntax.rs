//! The part of Python in which the files write their expressions: `tf.reduce_sum(x[1:]**2, axis=axis)`.
use crate::runner::Failure;

/// A parsed expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    Integer(i64),
    Float(f64),
    Text(String),
    Name(String),
    List(Vec<Expr>),
    Attribute(Box<Expr>, String),
    Call(Box<Expr>, Vec<Argument>),
    Index(Box<Expr>, Vec<Subscript>),
    Negative(Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    /// `then if condition else otherwise`
    Choice {
        then: Box<Expr>,
        condition: Box<Expr>,
        otherwise: Box<Expr>,
    },
    Lambda(Vec<String>, Box<Expr>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Argument {
    Positional(Expr),
    Keyword(String, Expr),
    /// `*list`
    Splat(Expr),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Subscript {
    At(Expr),
    Range([Option<Expr>; 3]),
    Ellipsis,
}

/// Binary operators, from the weakest to the strongest level; `**` is apart.
const LEVELS: [&[&str]; 3] = [&[">", "<", "=="], &["+", "-"], &["*", "//", "/"]];

const SYMBOLS: [&str; 20] =
    ["...", "**", "//", "==", ">", "<", "+", "-", "*", "/", "(", ")", "[", "]", ",", ":", "=", ".", "{", "}"];

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Integer(i64),
    Float(f64),
    Text(String),
    Name(String),
    Symbol(&'static str),
}

fn tokens(text: &str) -> Result<Vec<Token>, Failure> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let prefix = |of: &dyn Fn(char) -> bool| rest.find(|c| !of(c)).unwrap_or(rest.len());
        let decimal = rest[1..].starts_with(|c: char| c.is_ascii_digit());
        let length;
        if first.is_ascii_digit() || first == '.' && decimal {
            length = number_length(rest);
            let digits = &rest[..length];
            tokens.push(match digits.parse() {
                Ok(integer) => Token::Integer(integer),
                Err(_) => Token::Float(digits.parse().map_err(|_| format!("not a number: {digits}"))?),
            });
        } else if first.is_alphabetic() || first == '_' {
            length = prefix(&|c| c.is_alphanumeric() || c == '_');
            tokens.push(Token::Name(rest[..length].to_owned()));
        } else if first == '\'' || first == '"' {
            let end = rest[1..].find(first).ok_or_else(|| format!("an open string: {rest}"))?;
            length = end + 2;
            tokens.push(Token::Text(rest[1..=end].to_owned()));
        } else {
            let symbol = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol));
            let symbol = symbol.ok_or_else(|| format!("not understood: {rest}"))?;
            length = symbol.len();
            tokens.push(Token::Symbol(symbol));
        }
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// The length of the number at the start: digits, a point, digits, an exponent.
fn number_length(text: &str) -> usize {
    let mut before = ' ';
    let part = |c: char| {
        let sign = (c == '-' || c == '+') && (before == 'e' || before == 'E');
        before = c;
        c.is_ascii_digit() || c == '.' || c == 'e' || c == 'E' || sign
    };
    let mut part = part;
    text.find(|c| !part(c)).unwrap_or(text.len())
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
}

/// Parses a whole expression.
pub(crate) fn parse(text: &str) -> Result<Expr, Failure> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0 };
    let expression = parser.expression()?;
    match parser.tokens.get(parser.next) {
        None => Ok(expression),
        Some(token) => Err(format!("{text}: {token:?} is not understood").into()),
    }
}

impl Parser {
    fn takes(&mut self, symbol: &str) -> bool {
        let found = matches!(self.tokens.get(self.next), Some(Token::Symbol(s)) if *s == symbol);
        self.next += usize::from(found);
        found
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.get(self.next), Some(Token::Name(name)) if name == word);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Failure> {
        if self.takes(symbol) {
            return Ok(());
        }
        Err(format!("expected {symbol}, got {:?}", self.tokens.get(self.next)).into())
    }

    fn name(&mut self) -> Result<String, Failure> {
        match self.tokens.get(self.next) {
            Some(Token::Name(name)) => {
                self.next += 1;
                Ok(name.clone())
            }
            other => Err(format!("expected a name, got {other:?}").into()),
        }
    }

    fn expression(&mut self) -> Result<Expr, Failure> {
        if self.takes_word("lambda") {
            let mut parameters = vec![self.name()?];
            while self.takes(",") {
                parameters.push(self.name()?);
            }
            self.expect(":")?;
            return Ok(Expr::Lambda(parameters, Box::new(self.expression()?)));
        }
        let then = self.level(0)?;
        if !self.takes_word("if") {
            return Ok(then);
        }
        let condition = self.level(0)?;
        if !self.takes_word("else") {
            return Err("expected else".into());
        }
        let [then, condition] = [Box::new(then), Box::new(condition)];
        Ok(Expr::Choice { then, condition, otherwise: Box::new(self.expression()?) })
    }

    fn level(&mut self, level: usize) -> Result<Expr, Failure> {
        let Some(operators) = LEVELS.get(level) else { return self.factor() };
        let mut left = self.level(level + 1)?;
        while let Some(operator) = operators.iter().find(|operator| self.takes(operator)) {
            let right = self.level(level + 1)?;
            left = Expr::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    /// `-x`, and `x ** y`, which binds more tightly than the minus before it and less than the one after.
    fn factor(&mut self) -> Result<Expr, Failure> {
        if self.takes("-") {
            return Ok(match self.factor()? {
                Expr::Integer(n) => Expr::Integer(-n),
                Expr::Float(x) => Expr::Float(-x),
                other => Expr::Negative(Box::new(other)),
            });
        }
        let base = self.postfix()?;
        if self.takes("**") {
            return Ok(Expr::Binary("**", Box::new(base), Box::new(self.factor()?)));
        }
        Ok(base)
    }

    fn postfix(&mut self) -> Result<Expr, Failure> {
        let mut value = self.atom()?;
        loop {
            if self.takes(".") {
                value = Expr::Attribute(Box::new(value), self.name()?);
            } else if self.takes("(") {
                value = Expr::Call(Box::new(value), self.list(")", Parser::argument)?);
            } else if self.takes("[") {
                value = Expr::Index(Box::new(value), self.list("]", Parser::subscript)?);
            } else {
                return Ok(value);
            }
        }
    }

    fn atom(&mut self) -> Result<Expr, Failure> {
        if self.takes("(") {
            let inner = self.expression()?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.takes("[") {
            return Ok(Expr::List(self.list("]", Parser::expression)?));
        }
        let atom = match self.tokens.get(self.next).cloned() {
            Some(Token::Integer(n)) => Expr::Integer(n),
            Some(Token::Float(x)) => Expr::Float(x),
            Some(Token::Text(text)) => Expr::Text(text),
            Some(Token::Name(name)) => Expr::Name(name),
            other => return Err(format!("expected a value, got {other:?}").into()),
        };
        self.next += 1;
        Ok(atom)
    }

    /// What stands between commas, up to the closing bracket.
    fn list<T>(
        &mut self,
        close: &str,
        item: fn(&mut Parser) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        let mut items = Vec::new();
        while !self.takes(close) {
            items.push(item(self)?);
            if !self.takes(",") {
                self.expect(close)?;
                break;
            }
        }
        Ok(items)
    }

    fn argument(&mut self) -> Result<Argument, Failure> {
        if self.takes("*") {
            return Ok(Argument::Splat(self.expression()?));
        }
        let keyword = matches!(self.tokens.get(self.next + 1), Some(Token::Symbol("=")));
        if !keyword {
            return Ok(Argument::Positional(self.expression()?));
        }
        let name = self.name()?;
        self.expect("=")?;
        Ok(Argument::Keyword(name, self.expression()?))
    }

    fn subscript(&mut self) -> Result<Subscript, Failure> {
        if self.takes("...") {
            return Ok(Subscript::Ellipsis);
        }
        let mut parts = [self.bound()?, None, None];
        if !self.takes(":") {
            let [at, ..] = parts;
            return at.map(Subscript::At).ok_or_else(|| "an empty subscript".into());
        }
        parts[1] = self.bound()?;
        if self.takes(":") {
            parts[2] = self.bound()?;
        }
        Ok(Subscript::Range(parts))
    }

    /// One bound of a range, which may be absent.
    fn bound(&mut self) -> Result<Option<Expr>, Failure> {
        let absent = matches!(self.tokens.get(self.next), Some(Token::Symbol(":" | "," | "]")));
        if absent { Ok(None) } else { self.expression().map(Some) }
    }
}

/// The dotted name `tf.math.log` of an expression that is one.
pub(crate) fn dotted(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Name(name) => Some(name.clone()),
        Expr::Attribute(of, name) => Some(format!("{}.{name}", dotted(of)?)),
        _ => None,
    }
}

/// What evaluating an expression takes: the functions that it calls, also as `function(keyword)`, and its operators.
pub(crate) fn needs(expression: &Expr, found: &mut Vec<String>) {
    match expression {
        Expr::Integer(_) | Expr::Float(_) | Expr::Text(_) | Expr::Name(_) => {}
        Expr::List(items) => items.iter().for_each(|item| needs(item, found)),
        Expr::Attribute(of, _) | Expr::Negative(of) | Expr::Lambda(_, of) => needs(of, found),
        Expr::Call(function, arguments) => {
            let name = dotted(function).unwrap_or_default();
            for argument in arguments {
                let (Argument::Positional(value) | Argument::Keyword(_, value) | Argument::Splat(value)) =
                    argument;
                if let Argument::Keyword(keyword, _) = argument {
                    found.push(format!("{name}({keyword})"));
                }
                needs(value, found);
            }
            found.push(name);
        }
        Expr::Index(of, subscripts) => {
            needs(of, found);
            for subscript in subscripts {
                match subscript {
                    Subscript::At(at) => needs(at, found),
                    Subscript::Range(parts) => parts.iter().flatten().for_each(|part| needs(part, found)),
                    Subscript::Ellipsis => {}
                }
            }
        }
        Expr::Binary(operator, a, b) => {
            found.push((*operator).to_owned());
            needs(a, found);
            needs(b, found);
        }
        Expr::Choice { then, condition, otherwise } => {
            [then, condition, otherwise].iter().for_each(|part| needs(part, found));
        }
    }
}
