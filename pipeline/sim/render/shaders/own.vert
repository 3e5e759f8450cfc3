// Each actor alone in its own cell, to count the pixels that it would have if nothing hid it.
uniform mat4 camera;
in vec4 cell;                // scale and shift of normalized device coordinates

void main() {
    vec4 p = camera * vec4(placed(), 1.0);
    gl_Position = vec4(p.xy * cell.xy + cell.zw * p.w, 0.0, p.w);
}
