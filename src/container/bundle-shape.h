/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The OCI runtime-spec's configuration as a table of shapes (config.md, config-linux.md of 1.1).
   For bundle-check.c. */

typedef enum
{
  ATM_SHAPE_STRING,
  ATM_SHAPE_BOOLEAN,
  ATM_SHAPE_INTEGER,
  ATM_SHAPE_OBJECT, /* with fields; others are allowed */
  ATM_SHAPE_ARRAY,  /* of values of one shape */
  ATM_SHAPE_MAP     /* of any members whose values have one shape */
} AtmShapeKind;

typedef struct _AtmShape AtmShape;
typedef struct _AtmShapeField AtmShapeField;

struct _AtmShape
{
  AtmShapeKind kind;
  gint64 min, max;             /* of an integer */
  const char *const *words;    /* of a string: (nullable): the only ones; runtimes refuse others */
  gboolean absolute;           /* of a string: it is an absolute path */
  gboolean filled;             /* of a string or an array: it is not empty */
  const AtmShapeField *fields; /* of an object: ended by one without a name */
  const AtmShape *of;          /* of an array or a map */
};

struct _AtmShapeField
{
  const char *name;
  const AtmShape *shape;
  gboolean mandatory;
};

/* The whole document. Its tables are not nested in themselves, so a walk along them ends. */
extern const AtmShape atm_bundle_shape;
