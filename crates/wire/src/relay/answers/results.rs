//! Packets of the engine's answers: which of them ends a result, and which ends the answer.

use super::super::heads::{
    AUTH_MORE_DATA, EOF, ERR, LOCAL_INFILE, OK, PREVENTED, definition_packets, ends_session,
    eof_status, error_code, ok_status, opens_cursor, result_columns,
};
use super::{AnswerStage, Answers, Outstanding};
use crate::command::ReplyShape;
use crate::packet::{Header, PAYLOAD_MAX};
use crate::response::status;

/// Length below which a packet that begins with 0xFE is an EOF, which has five bytes. A row that
/// begins with that byte has nine at least.
const EOF_BELOW: u32 = 9;
/// Error code of MariaDB's progress reports, which are not errors.
const PROGRESS: u16 = 0xFFFF;

impl Answers {
    /// Reads the head of a packet that does not continue another.
    pub(super) fn read_head(&mut self, header: Header, head: &[u8]) {
        let len = header.len;
        self.said_goodbye =
            head.first() == Some(&ERR) && error_code(head).is_some_and(ends_session);
        self.prevented = 0;
        let Some(asked) = self.outstanding.front().copied() else {
            self.unasked_error |= head.first() == Some(&ERR);
            if head.first() != Some(&ERR) {
                self.stop_tracking();
            }
            return;
        };
        self.begun = true;
        // The text of COM_STATISTICS may begin with any byte.
        if asked.reply == ReplyShape::Text {
            return self.answered();
        }
        let Some(&first) = head.first() else {
            // An empty packet would be a row without columns, which does not exist.
            return self.stop_tracking();
        };
        if first == ERR {
            let code = error_code(head);
            if code == Some(PREVENTED) {
                self.prevented = len;
            }
            if code != Some(PROGRESS) {
                if asked.reply == ReplyShape::Rows {
                    self.cursors.close(asked.statement);
                }
                self.answered();
            }
            return;
        }
        match self.stage {
            AnswerStage::Head => self.read_first(asked, header, first, head),
            AnswerStage::Columns(1) => self.end_columns(),
            AnswerStage::Columns(left) => self.stage = AnswerStage::Columns(left - 1),
            AnswerStage::ColumnsEnd => match eof_status(head) {
                Some(flags) if asked.cursor && opens_cursor(flags) => self.answered_with(flags),
                Some(flags) => {
                    self.status = flags;
                    self.stage = AnswerStage::Rows;
                }
                None => self.stop_tracking(),
            },
            AnswerStage::Rows if first == EOF && self.ends_rows(len) => self.read_end(asked, head),
            AnswerStage::Rows => {}
            AnswerStage::Definitions(1) => self.answered(),
            AnswerStage::Definitions(left) => self.stage = AnswerStage::Definitions(left - 1),
            AnswerStage::File if first == OK => {
                self.file_sequence = None;
                self.read_ok(head);
            }
            AnswerStage::File => self.stop_tracking(),
        }
    }

    /// Reads the first packet of a result.
    fn read_first(&mut self, asked: Outstanding, header: Header, first: u8, head: &[u8]) {
        let len = header.len;
        match asked.reply {
            ReplyShape::Results => match first {
                OK => self.read_ok(head),
                LOCAL_INFILE => {
                    // Such a command is in the engine's socket already, where the engine reads it
                    // as part of the file.
                    self.command_behind_file = self.outstanding.len() > 1 || self.silent_last;
                    self.file_sequence = Some(header.seq.wrapping_add(1));
                    self.stage = AnswerStage::File;
                }
                _ => match result_columns(head, self.cache_metadata) {
                    Some((columns, true)) if first != EOF && columns > 0 => {
                        self.stage = AnswerStage::Columns(columns)
                    }
                    // The client has the definitions from an earlier answer.
                    Some((columns, false)) if first != EOF && columns > 0 => self.end_columns(),
                    _ => self.stop_tracking(),
                },
            },
            ReplyShape::Prepared => match definition_packets(head, self.deprecate_eof) {
                Some(0) => self.answered(),
                Some(packets) => self.stage = AnswerStage::Definitions(packets),
                None => self.stop_tracking(),
            },
            ReplyShape::Rows if first == EOF && self.ends_rows(len) => self.read_end(asked, head),
            ReplyShape::Rows => self.stage = AnswerStage::Rows,
            // A column definition begins with the length of the word "def", so it is never an EOF.
            ReplyShape::Fields if first == EOF => self.read_end(asked, head),
            ReplyShape::Fields => {}
            ReplyShape::Dialogue if matches!(first, EOF | AUTH_MORE_DATA) => {}
            ReplyShape::One if first == EOF => self.read_end(asked, head),
            ReplyShape::One | ReplyShape::Dialogue if first == OK => self.read_ok(head),
            _ => self.stop_tracking(),
        }
    }

    fn end_columns(&mut self) {
        self.stage = if self.deprecate_eof {
            AnswerStage::Rows
        } else {
            AnswerStage::ColumnsEnd
        };
    }

    /// Whether a packet of this length that begins with 0xFE ends the rows.
    fn ends_rows(&self, len: u32) -> bool {
        if self.deprecate_eof {
            (len as usize) < PAYLOAD_MAX
        } else {
            len < EOF_BELOW
        }
    }

    /// Reads the packet that ends rows: an EOF, or with DEPRECATE_EOF an OK that begins with the
    /// byte of an EOF.
    fn read_end(&mut self, asked: Outstanding, head: &[u8]) {
        let flags = if self.deprecate_eof && head.len() > 5 {
            ok_status(head)
        } else {
            eof_status(head)
        };
        match flags {
            Some(flags) if asked.reply == ReplyShape::Results => self.end_result(flags),
            Some(flags) => self.answered_with(flags),
            None => self.stop_tracking(),
        }
    }

    fn read_ok(&mut self, head: &[u8]) {
        let one = self
            .outstanding
            .front()
            .is_some_and(|o| o.reply != ReplyShape::Results);
        match ok_status(head) {
            Some(flags) if one => self.answered_with(flags),
            Some(flags) => self.end_result(flags),
            None => self.stop_tracking(),
        }
    }

    fn end_result(&mut self, flags: u16) {
        if flags & status::MORE_RESULTS_EXISTS == 0 {
            return self.answered_with(flags);
        }
        self.status = flags;
        self.stage = AnswerStage::Head;
    }

    fn answered_with(&mut self, flags: u16) {
        self.status = flags;
        if let Some(asked) = self.outstanding.front() {
            if asked.cursor && opens_cursor(flags) {
                self.cursors.open(asked.statement);
            } else if asked.reply == ReplyShape::Rows && flags & status::LAST_ROW_SENT != 0 {
                self.cursors.close(asked.statement);
            }
        }
        self.answered();
    }

    fn answered(&mut self) {
        self.outstanding.pop_front();
        self.stage = AnswerStage::Head;
        self.begun = false;
        // After an error the engine reads commands again, also before the end of the file: it has
        // refused a packet of the file, or has not read any.
        self.file_sequence = None;
    }
}
